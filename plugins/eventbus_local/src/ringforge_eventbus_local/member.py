"""One handler and the task that calls it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

import structlog

from ringforge_core.ports.event_bus import Event, Handler, Subscription
from ringforge_eventbus_local.consumer import Consumer

FIRST_DELAY = 0.05
LONGEST_DELAY = 5.0
"""Seconds between two tries of what failed; doubled each time."""

log = structlog.get_logger(__name__)


class Member(Subscription):
    """Takes events from its consumer and hands them to its handler until that succeeds."""

    def __init__(self, consumer: Consumer, handler: Handler, on_cancel: Callable[[Member], None]) -> None:
        self.consumer = consumer
        self._handler = handler
        self._on_cancel = on_cancel
        self._cancelled = asyncio.Event()
        consumer.members += 1
        self._task = asyncio.create_task(self._run(), name="eventbus-local-member")

    async def cancel(self) -> None:
        """Lets a running call of the handler finish. From within the handler it returns at once: that call is the last."""
        if not self._cancelled.is_set():
            self._cancelled.set()
            self.consumer.members -= 1
            self.consumer.changed.set()
            self._on_cancel(self)
        if asyncio.current_task() is not self._task:
            await asyncio.wait([self._task])

    async def abort(self) -> None:
        """As `cancel`, but a running call is cancelled too."""
        self._task.cancel()
        await self.cancel()

    async def _run(self) -> None:
        while not self._cancelled.is_set():
            if events := self.consumer.take(self):
                await self._deliver(events)
            elif not await self._catch_up():
                self.consumer.changed.clear()
                await self.consumer.changed.wait()

    async def _deliver(self, events: Sequence[Event]) -> None:
        delay = FIRST_DELAY
        while not self._cancelled.is_set():
            try:
                await self._handler(events)
            except Exception:
                log.exception("event_handler_failed", events=len(events), retry_after_seconds=delay)
                delay = await self._pause(delay)
            else:
                self.consumer.done(self)
                return
        self.consumer.give_back(self, events)

    async def _catch_up(self) -> bool:
        delay = FIRST_DELAY
        while not self._cancelled.is_set():
            try:
                return await self.consumer.catch_up()
            except Exception:
                log.exception("event_log_unreadable", retry_after_seconds=delay)
                delay = await self._pause(delay)
        return False

    async def _pause(self, delay: float) -> float:
        """Wait, or less when cancelled; returns the next delay."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._cancelled.wait(), delay)
        return min(delay * 2, LONGEST_DELAY)
