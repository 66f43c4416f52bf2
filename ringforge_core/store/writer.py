"""The single writer behind the queue: what both kinds share."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from ringforge_core.errors import Backpressure
from ringforge_core.ports.event_bus import Event
from ringforge_core.store.commit import Committer
from ringforge_core.store.failures import translated
from ringforge_core.store.settings import StoreSettings
from ringforge_core.store.work import Committed, Work

log = structlog.get_logger(__name__)

Listener = Callable[[Sequence[Event]], None]


class Queue(Protocol):
    """What `queue.SimpleQueue` and `asyncio.Queue` have in common: the works of one tick each; None is the end."""

    def empty(self) -> bool: ...
    def put_nowait(self, item: list[Work] | None, /) -> None: ...
    def get_nowait(self) -> list[Work] | None: ...


class Writer(ABC):
    """Drains a bounded queue, commits for all who wait, then tells the listeners and answers the callers."""

    _queue: Queue

    def __init__(self, settings: StoreSettings, committer: Committer, listeners: Sequence[Listener]) -> None:
        self._settings = settings
        self._committer = committer
        self._listeners = listeners
        self._accepting = True
        self._gathered: list[Work] = []
        self._waiting: deque[Work] = deque()
        """What the writer has, but has not put into a commit yet."""
        self._submitted = 0
        self._taken = 0

    @abstractmethod
    async def start(self) -> None:
        """Begin to drain the queue."""

    @abstractmethod
    async def close(self) -> None:
        """Commit what is queued, then end."""

    def submit(self, work: Work) -> None:
        """Queue the work; raises `Backpressure` when the queue is full.

        The works of one tick of the loop are handed over together: the first of them would have a commit to itself else.
        """
        if self._submitted - self._taken >= self._settings.queue_size:
            raise Backpressure("Too many changes wait for the database.")
        self._submitted += 1
        if not self._gathered:
            asyncio.get_running_loop().call_soon(self._hand_over)
        self._gathered.append(work)

    def _hand_over(self) -> None:
        gathered, self._gathered = self._gathered, []
        if gathered:
            self._queue.put_nowait(gathered)

    def _end(self) -> None:
        self._hand_over()
        self._queue.put_nowait(None)

    def _add(self, works: list[Work] | None) -> None:
        if works is None:
            self._accepting = False
        else:
            self._waiting.extend(works)

    def _next_works(self) -> list[Work]:
        """What the next commit takes of what waits, without those whose callers have gone."""
        while self._accepting and len(self._waiting) < self._settings.commit_size and not self._queue.empty():
            self._add(self._queue.get_nowait())
        works = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._settings.commit_size))]
        self._taken += len(works)
        return [work for work in works if not work.future.cancelled()]

    def _put_back(self, deferred: Sequence[Work]) -> None:
        self._waiting.extendleft(reversed(deferred))
        self._taken -= len(deferred)

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
