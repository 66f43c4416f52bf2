"""Bring the index of words up to date: before each search, and in the background.

Not with each change: it would be the half of its work, and much of it in vain, as many keys change again and again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from ringforge_core.mesh.memory.databases import EntryKey, MemoryDatabase, key_row
from ringforge_core.mesh.memory.tables import UNINDEXED
from ringforge_core.mesh.memory.tables import memory_entries as table
from ringforge_core.mesh.memory.words import words_of_entry
from ringforge_core.ports.store import Store, Transaction

SLICE = 100
"""Entries indexed in one commit."""

_KEY = (table.c.tenant_id, table.c.fleet_id, table.c.key)
_MARK = table.update().where(*(column == sa.bindparam(f"of_{column.name}") for column in _KEY)).values(indexed=sa.true())


class Indexer:
    def __init__(self, store: Store, database: MemoryDatabase) -> None:
        self._store = store
        self._database = database

    async def index_fleet(self, tenant_id: str, fleet_id: str) -> None:
        """Returns when a search finds what was acknowledged before the call."""
        await self._index(sa.and_(table.c.tenant_id == tenant_id, table.c.fleet_id == fleet_id))

    async def index_all(self) -> None:
        await self._index(sa.true())

    async def _index(self, condition: sa.ColumnElement[bool]) -> None:
        query = sa.select(*_KEY, table.c.number).where(UNINDEXED, condition).order_by(table.c.number)
        last = 0
        while found := await self._find(query.where(table.c.number > last).limit(SLICE)):
            last = found[-1].number
            await self._store.apply(self._write, [(row.tenant_id, row.fleet_id, row.key) for row in found])
            if len(found) < SLICE:
                return

    async def _find(self, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        return await self._store.read(lambda connection: connection.execute(query).all())

    def _write(self, tx: Transaction, commands: Sequence[Sequence[EntryKey]]) -> list[None]:
        entries = self._database.read_many(tx, {key for keys in commands for key in keys})
        living = {key: entry for key, entry in entries.items() if entry.deleted_at is None}
        if living:
            rows = [self._database.row(key, words_of_entry(entry.key, entry.value)) for key, entry in living.items()]
            tx.execute(self._database.index, rows)
        if gone := entries.keys() - living.keys():
            tx.execute(self._database.forget, [key_row(key) for key in gone])
        if entries:
            tx.execute(_MARK, [key_row(key) for key in entries])
        return [None] * len(commands)
