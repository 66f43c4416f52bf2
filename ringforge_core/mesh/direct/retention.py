"""Forgets messages that are older than the history is kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from ringforge_core.identity.ids import now
from ringforge_core.mesh.direct.tables import direct_messages as table
from ringforge_core.plugin.periodic import Periodic
from ringforge_core.ports.store import Store, Transaction

SLICE = 1000
"""Messages that are deleted by one statement."""


class HistoryRetention(Periodic):
    """`keep` is how long messages are kept, `seconds` how often it looks."""

    def __init__(self, store: Store, *, keep: timedelta, seconds: float) -> None:
        self._store = store
        self._keep = keep
        super().__init__("direct-retention", self._forget, seconds)

    async def _forget(self) -> None:
        while await self._store.apply(forget, now() - self._keep) == SLICE:
            pass


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
