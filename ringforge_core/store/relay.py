"""Hands what was committed to the event bus, in order, at least once, without holding up the writer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import structlog

from ringforge_core.errors import Unavailable
from ringforge_core.ports.event_bus import Event, EventBus
from ringforge_core.ports.store import Store

FIRST_RETRY, LAST_RETRY = 0.05, 5.0
"""Seconds between tries while the bus does not take events."""

log = structlog.get_logger(__name__)


class Relay:
    """Started after the bus, stopped before it."""

    def __init__(self, store: Store, bus: EventBus) -> None:
        self._bus = bus
        self._waiting: list[Event] = []
        self._some = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        store.on_commit(self._committed)

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="relay")

    async def stop(self) -> None:
        """Returns when all that was committed is handed over, or the bus does not take it for `LAST_RETRY` seconds."""
        if self._task is None:
            return
        self._stopping = True
        self._some.set()
        done, _ = await asyncio.wait([self._task], timeout=LAST_RETRY)
        if not done:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self._task = None

    def _committed(self, events: Sequence[Event]) -> None:
        self._waiting.extend(events)
        self._some.set()

    async def _run(self) -> None:
        while not (self._stopping and not self._waiting):
            await self._some.wait()
            self._some.clear()
            events, self._waiting = self._waiting, []
            if events:
                await self._publish(events)

    async def _publish(self, events: Sequence[Event]) -> None:
        retry = FIRST_RETRY
        while True:
            try:
                return await self._bus.publish(events)
            except Unavailable as error:
                log.warning("bus_unavailable", reason=error.reason, events=len(events), retry_seconds=retry)
            await asyncio.sleep(retry)
            retry = min(retry * 2, LAST_RETRY)
