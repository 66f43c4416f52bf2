"""What arrived for one subscriber: a bounded buffer, and the task that hands it to the handler until that succeeds."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import pulsar
import structlog

from ringforge_core.ports.event_bus import Event, Handler

BATCH = 500
"""Most events handed over in one call."""
FIRST_DELAY, LONGEST_DELAY = 0.05, 5.0
"""Seconds between two tries of what failed; doubled each time."""

log = structlog.get_logger(__name__)


class Arrived(NamedTuple):
    event: Event
    message: pulsar.Message
    acknowledge: Callable[[pulsar.Message], Awaitable[None]] | None
    """None where nobody keeps account of what was handled."""


class Delivery:
    def __init__(self, handler: Handler, size: int) -> None:
        self._handler = handler
        self._size = size
        self._buffer: deque[Arrived] = deque()
        self._some = asyncio.Event()
        self._room = asyncio.Event()
        self._ending = asyncio.Event()
        self._in_hand = 0
        self._task = asyncio.create_task(self._run(), name="pulsar-delivery")

    def backlog(self) -> int:
        """Events that arrived and are not handled yet."""
        return len(self._buffer) + self._in_hand

    async def put(self, arrived: Arrived) -> None:
        """Waits while the buffer is full."""
        while len(self._buffer) >= self._size:
            self._room.clear()
            await self._room.wait()
        self._buffer.append(arrived)
        self._some.set()

    async def end(self) -> None:
        """Lets a running call of the handler finish. From within the handler it returns at once: that call is the last."""
        self._ending.set()
        self._some.set()
        if asyncio.current_task() is not self._task:
            await asyncio.wait([self._task])

    def abort(self) -> None:
        """End a running call too."""
        self._task.cancel()

    async def _run(self) -> None:
        while batch := await self._next():
            self._in_hand = len(batch)
            if await self._handled([arrived.event for arrived in batch]):
                await self._acknowledge(batch)
            self._in_hand = 0

    async def _next(self) -> list[Arrived]:
        """What waits, as soon as something does; nothing at the end."""
        while not self._buffer and not self._ending.is_set():
            self._some.clear()
            await self._some.wait()
        if self._ending.is_set():
            return []
        batch = [self._buffer.popleft() for _ in range(min(BATCH, len(self._buffer)))]
        self._room.set()
        return batch

    async def _handled(self, events: Sequence[Event]) -> bool:
        """False when the subscription ended before the handler succeeded."""
        delay = FIRST_DELAY
        while not self._ending.is_set():
            try:
                await self._handler(events)
            except Exception:
                log.exception("event_handler_failed", events=len(events), retry_after_seconds=delay)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._ending.wait(), delay)
                delay = min(delay * 2, LONGEST_DELAY)
            else:
                return True
        return False

    async def _acknowledge(self, batch: Sequence[Arrived]) -> None:
        """What cannot be acknowledged comes again."""
        calls = [arrived.acknowledge(arrived.message) for arrived in batch if arrived.acknowledge]
        failed = [outcome for outcome in await asyncio.gather(*calls, return_exceptions=True) if outcome is not None]
        if failed:
            log.warning("pulsar_not_acknowledged", events=len(failed), error=str(failed[0]))
