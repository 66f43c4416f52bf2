"""Every few seconds: take out what expired, and look for claims whose node died."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog

from ringforge_core.errors import RingforgeError
from ringforge_core.identity.ids import now
from ringforge_core.mesh.inbox.claim import find_lapsed
from ringforge_core.mesh.inbox.put import Address
from ringforge_core.mesh.inbox.settle import SLICE, expire
from ringforge_core.ports.store import Store

LAPSED_AT_ONCE = 1000

log = structlog.get_logger(__name__)


class Sweeper:
    def __init__(self, store: Store, wake: Callable[[Sequence[Address]], None], *, seconds: float) -> None:
        self._store = store
        self._wake = wake
        self._seconds = seconds
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="inbox-sweeper")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            try:
                await self._sweep()
            except RingforgeError as error:
                log.warning("inbox_not_swept", reason=error.reason)

    async def _sweep(self) -> None:
        at = now()
        while await self._store.apply(expire, at) == SLICE:
            pass
        self._wake(await self._store.read(lambda connection: find_lapsed(connection, at, LAPSED_AT_ONCE)))
