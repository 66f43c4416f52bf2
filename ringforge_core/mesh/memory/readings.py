"""How often each entry was read: counted in memory, added to the database in batches.

A reading must not become a write. What a killed hub had not added yet, a second's worth at most, is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from ringforge_core.mesh.memory.databases import MemoryDatabase
from ringforge_core.mesh.memory.tables import memory_entries
from ringforge_core.ports.store import Store, Transaction

BATCH = 500
"""Entries whose readings are added at once."""

_ADD = (
    memory_entries.update()
    .where(
        memory_entries.c.tenant_id == sa.bindparam("of_tenant_id"),
        memory_entries.c.fleet_id == sa.bindparam("of_fleet_id"),
        memory_entries.c.key == sa.bindparam("of_key"),
        memory_entries.c.id == sa.bindparam("of_id"),
    )
    .values(access_count=memory_entries.c.access_count + sa.bindparam("readings"))
)


class Counter(msgspec.Struct):
    """The readings of one entry: `known` to the database when it was last asked, and those since, on this node."""

    tenant_id: str
    fleet_id: str
    key: str
    id: str
    known: int = 0
    uncounted: int = 0


class Readings:
    """The counters with something to add."""

    def __init__(self) -> None:
        self._waiting: list[Counter] = []

    def count(self, counter: Counter) -> int:
        """Note one reading; returns how many there are."""
        counter.uncounted += 1
        if counter.uncounted == 1:
            self._waiting.append(counter)
        return counter.known + counter.uncounted

    async def flush(self, store: Store, addition: Addition) -> None:
        """Add what was counted until now, and learn what other nodes have added; what fails stays for the next time."""
        counters, self._waiting = self._waiting, []
        try:
            for start in range(0, len(counters), BATCH):
                await _add(store, addition, counters[start : start + BATCH])
        finally:
            self._waiting += [counter for counter in counters if counter.uncounted]


class Addition:
    """`run` is the write function: it takes rows of `_row`, and returns all readings by entry id."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    def run(self, tx: Transaction, commands: Sequence[Sequence[dict[str, Any]]]) -> list[dict[str, int]]:
        return [self._add(tx, rows) for rows in commands]

    def _add(self, tx: Transaction, rows: Sequence[dict[str, Any]]) -> dict[str, int]:
        tx.execute(_ADD, rows)
        keys = [(row["of_tenant_id"], row["of_fleet_id"], row["of_key"]) for row in rows]
        return self._database.read_readings(tx, keys)


async def _add(store: Store, addition: Addition, counters: Sequence[Counter]) -> None:
    rows = [_row(counter) for counter in counters]
    known = await store.apply(addition.run, rows)
    for counter, row in zip(counters, rows, strict=True):
        counter.uncounted -= row["readings"]
        counter.known = known.get(counter.id, counter.known)


def _row(counter: Counter) -> dict[str, Any]:
    return {
        "of_tenant_id": counter.tenant_id,
        "of_fleet_id": counter.fleet_id,
        "of_key": counter.key,
        "of_id": counter.id,
        "readings": counter.uncounted,
    }
