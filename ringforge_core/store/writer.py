"""The single writer behind the queue: what both kinds share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from ringforge_core.errors import Backpressure
from ringforge_core.ports.event_bus import Event
from ringforge_core.store.commit import Committer
from ringforge_core.store.failures import translated
from ringforge_core.store.once import Idempotency
from ringforge_core.store.settings import StoreSettings
from ringforge_core.store.work import Committed, Work

log = structlog.get_logger(__name__)

Listener = Callable[[Sequence[Event]], None]


class Queue(Protocol):
    """What `queue.SimpleQueue` and `asyncio.Queue` have in common; None is the end."""

    def qsize(self) -> int: ...
    def put_nowait(self, item: Work | None, /) -> None: ...
    def get_nowait(self) -> Work | None: ...


class Writer(ABC):
    """Drains a bounded queue, commits for all who wait, then tells the listeners and answers the callers."""

    _queue: Queue

    def __init__(self, settings: StoreSettings, idempotency: Idempotency, listeners: Sequence[Listener]) -> None:
        self._settings = settings
        self._committer = Committer(idempotency)
        self._listeners = listeners
        self._accepting = True

    @abstractmethod
    async def start(self) -> None:
        """Begin to drain the queue."""

    @abstractmethod
    async def close(self) -> None:
        """Commit what is queued, then end."""

    def submit(self, work: Work) -> None:
        """Queue the work; raises `Backpressure` when the queue is full."""
        if self._queue.qsize() >= self._settings.queue_size:
            raise Backpressure("Too many changes wait for the database.")
        self._queue.put_nowait(work)

    def _take_waiting(self, works: list[Work]) -> None:
        """Add what waits in the queue, up to the size of a commit."""
        while self._accepting and len(works) < self._settings.commit_size and self._queue.qsize():
            self._add(self._queue.get_nowait(), works)

    def _add(self, work: Work | None, works: list[Work]) -> None:
        if work is None:
            self._accepting = False
        elif not work.future.cancelled():
            works.append(work)

    def _deliver(self, committed: Committed) -> None:
        """On the event loop, once per commit: events first, so that no caller resumes before they are on their way."""
        if committed.events:
            for listener in self._listeners:
                try:
                    listener(committed.events)
                except Exception:
                    log.exception("store.listener_failed")
        for work in committed.answered:
            work.resume()


def failed(works: Sequence[Work], error: Exception) -> Committed:
    """Nothing was committed, or nobody knows: each caller gets an error of its own."""
    for work in works:
        work.error = translated(error)
    return Committed(works)
