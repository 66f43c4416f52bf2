"""The single writer behind the queue: what both kinds share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import structlog

from ringforge_core.ports.event_bus import Event
from ringforge_core.store.work import Committed, Work

log = structlog.get_logger(__name__)

Listener = Callable[[Sequence[Event]], None]


class Writer(ABC):
    """Drains a bounded queue, commits for all who wait, then tells the listeners and answers the callers."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = listeners

    @abstractmethod
    async def start(self) -> None:
        """Begin to drain the queue."""

    @abstractmethod
    def submit(self, work: Work) -> None:
        """Queue the work; raises `Backpressure` when the queue is full."""

    @abstractmethod
    async def close(self) -> None:
        """Commit what is queued, then end."""

    def _deliver(self, committed: Committed) -> None:
        """On the event loop, once per commit: events first, so that no caller resumes before they are on their way."""
        if committed.events:
            for listener in self._listeners:
                try:
                    listener(committed.events)
                except Exception:
                    log.exception("store.listener_failed")
        deferred = set(committed.deferred)
        for work in committed.works:
            if work not in deferred:
                work.resume()
