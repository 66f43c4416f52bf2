"""The background: expired entries are deleted and announced, readings counted, words indexed, old deletions forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import sqlalchemy as sa

from ringforge_core.errors import Unavailable
from ringforge_core.identity.ids import now
from ringforge_core.mesh.memory.databases import MemoryDatabase
from ringforge_core.mesh.memory.indexing import Indexer
from ringforge_core.mesh.memory.readings import Addition, Readings
from ringforge_core.mesh.memory.settings import MemorySettings
from ringforge_core.mesh.memory.tables import memory_entries as table
from ringforge_core.mesh.memory.writes import SECOND, ExpireEntries, MemoryWrites
from ringforge_core.plugin.periodic import Periodic
from ringforge_core.plugin.schema import microseconds
from ringforge_core.ports.store import Store, Transaction

SLICE = 500
"""Entries taken at once, so that no commit is long."""

_FORGET = table.delete().where(
    table.c.tenant_id == sa.bindparam("of_tenant_id"),
    table.c.fleet_id == sa.bindparam("of_fleet_id"),
    table.c.number == sa.bindparam("of_number"),
    table.c.deleted_at.is_not(None),
)


class Sweeper(Periodic):
    """Owned by the capability, which starts and stops it."""

    def __init__(
        self, store: Store, database: MemoryDatabase, writes: MemoryWrites, indexer: Indexer, readings: Readings,
        settings: MemorySettings,
    ) -> None:  # fmt: skip
        self._store = store
        self._writes = writes
        self._indexer = indexer
        self._addition = Addition(database)
        self._readings = readings
        self._keep = int(settings.keep_deleted_hours * 3600 * SECOND)
        super().__init__("memory-sweeper", self._sweep, settings.sweep_seconds)

    async def stop(self) -> None:
        """Count the last readings."""
        await super().stop()
        with suppress(Unavailable):
            await self._readings.flush(self._store, self._addition)

    async def _sweep(self) -> None:
        await self._readings.flush(self._store, self._addition)
        await self._expire(microseconds(now()))
        await self._indexer.index_all()
        await self._forget(microseconds(now()) - self._keep)

    async def _expire(self, at: int) -> None:
        query = (
            sa.select(table.c.tenant_id, table.c.fleet_id, table.c.key)
            .where(table.c.expires_at <= at, table.c.deleted_at.is_(None))
            .order_by(table.c.expires_at)
            .limit(SLICE)
        )
        while expired := await self._find(query):
            keys = tuple((row.tenant_id, row.fleet_id, row.key) for row in expired)
            await self._store.apply(self._writes.run, ExpireEntries(keys))
            if len(expired) < SLICE:
                return

    async def _forget(self, before: int) -> None:
        query = (
            sa.select(
                table.c.tenant_id.label("of_tenant_id"),
                table.c.fleet_id.label("of_fleet_id"),
                table.c.number.label("of_number"),
            )
            .where(table.c.deleted_at < before)
            .limit(SLICE)
        )
        while old := await self._find(query):
            await self._store.apply(_forget, [dict(row._mapping) for row in old])
            if len(old) < SLICE:
                return

    async def _find(self, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        return await self._store.read(lambda connection: connection.execute(query).all())


def _forget(tx: Transaction, commands: Sequence[Sequence[dict[str, Any]]]) -> list[None]:
    """Delete rows of deleted entries; their history and words go with them."""
    for rows in commands:
        tx.execute(_FORGET, rows)
    return [None] * len(commands)
