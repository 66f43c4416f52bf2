"""Background work that comes again and again, with one owner who starts and stops it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from ringforge_core.errors import Unavailable

log = structlog.get_logger(__name__)


class Periodic:
    """Calls `work` every `seconds`, never two calls at once; the first comes after the first pause.

    A call that fails is logged, and the next one comes all the same: a backend that is gone is a warning, anything
    else is a fault and is logged with its stack.
    """

    def __init__(self, name: str, work: Callable[[], Awaitable[object]], seconds: float) -> None:
        self._name = name
        self._work = work
        self._seconds = seconds
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def stop(self) -> None:
        """Cancel a call in work and wait for its end; a second stop does nothing."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            try:
                await self._work()
            except Unavailable as error:
                log.warning("periodic_work_postponed", work=self._name, reason=error.reason)
            except Exception:
                log.exception("periodic_work_failed", work=self._name)
