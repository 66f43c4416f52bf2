"""One handler and the task that calls it: what both kinds of subscribers share."""

from __future__ import annotations

import asyncio
import contextlib
from abc import abstractmethod
from collections.abc import Callable, Sequence

import structlog

from ringforge_core.ports.event_bus import Event, Handler, Subscription
from ringforge_eventbus_kafka.failures import FAILURES

FIRST_DELAY = 0.05
LONGEST_DELAY = 5.0
"""Seconds between two tries of what failed; doubled each time."""
BATCH = 500
"""Most records handed to a handler at once."""
POLL_MILLISECONDS = 100
"""How long one look for records may take, and so how long a cancel may."""

log = structlog.get_logger(__name__)


class Delivery(Subscription):
    """Polls and hands over until it is cancelled; then closes its connection."""

    def __init__(self, handler: Handler, on_end: Callable[[Delivery], None]) -> None:
        self._handler = handler
        self._on_end = on_end
        self._cancelled = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    @abstractmethod
    def lag(self) -> int:
        """Records in the log that the handler did not have yet, as far as this node knows."""

    @property
    def is_running(self) -> bool:
        return self._task is not None

    def run(self) -> None:
        self._task = asyncio.create_task(self._run(), name="eventbus-kafka-delivery")

    async def cancel(self) -> None:
        """Lets a running call of the handler finish. From within the handler it returns at once: that call is the last."""
        self._cancelled.set()
        if self._task is not None and asyncio.current_task() is not self._task:
            await asyncio.wait([self._task])

    async def abort(self) -> None:
        """As `cancel`, but a running call is cancelled too; also ends one that never came to run."""
        self._cancelled.set()
        if self._task is None:
            await self._end()
        else:
            self._task.cancel()
            await self.cancel()

    @abstractmethod
    async def _step(self) -> None:
        """Take what there is and deliver it."""

    @abstractmethod
    async def _close(self) -> None:
        """Leave the broker."""

    async def _run(self) -> None:
        delay = FIRST_DELAY
        try:
            while not self._cancelled.is_set():
                try:
                    await self._step()
                except FAILURES as error:
                    log.warning("kafka_poll_failed", error=f"{type(error).__name__} {error}", retry_after_seconds=delay)
                    delay = await self._pause(delay)
                except Exception:  # a fault of ours must not end the deliveries of this hub
                    log.exception("kafka_delivery_failed", retry_after_seconds=delay)
                    delay = await self._pause(delay)
                else:
                    delay = FIRST_DELAY
        finally:
            await self._end()

    async def _end(self) -> None:
        self._on_end(self)
        with contextlib.suppress(*FAILURES):
            await self._close()

    async def _attempt(self, events: Sequence[Event]) -> None:
        """Call the handler once."""
        await self._handler(events)

    async def _deliver(self, events: Sequence[Event]) -> None:
        """Try until the handler succeeds, or the subscription is cancelled."""
        delay = FIRST_DELAY
        while not self._cancelled.is_set():
            try:
                await self._attempt(events)
            except Exception:
                log.exception("event_handler_failed", events=len(events), retry_after_seconds=delay)
                delay = await self._pause(delay)
            else:
                return

    async def _pause(self, delay: float) -> float:
        """Wait, or less when cancelled; returns the next delay."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._cancelled.wait(), delay)
        return min(delay * 2, LONGEST_DELAY)
