"""Forgets messages that are older than the history is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog

from ringforge_core.errors import RingforgeError
from ringforge_core.identity.ids import now
from ringforge_core.mesh.direct.tables import direct_messages as table
from ringforge_core.ports.store import Store, Transaction

SLICE = 1000
"""Messages that are deleted by one statement."""

log = structlog.get_logger(__name__)


class HistoryRetention:
    """`keep` is how long messages are kept, `seconds` how often it looks."""

    def __init__(self, store: Store, *, keep: timedelta, seconds: float) -> None:
        self._store = store
        self._keep = keep
        self._seconds = seconds
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="direct-retention")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            try:
                while await self._store.apply(forget, now() - self._keep) == SLICE:
                    pass
            except RingforgeError as error:
                log.warning("direct_history_not_trimmed", reason=error.reason)


def forget(tx: Transaction, instants: Sequence[datetime]) -> list[int]:
    """Delete up to `SLICE` messages older than each instant; returns how many."""
    return [
        tx.execute(
            table.delete().where(
                table.c.position.in_(
                    sa.select(table.c.position).where(table.c.at < before).order_by(table.c.at).limit(SLICE)
                )
            )
        ).rowcount
        for before in instants
    ]
