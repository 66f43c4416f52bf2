"""How often each entry was read: counted in memory, added to the database in batches.

A reading must not become a write. What a killed hub had not added yet, a second's worth at most, is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

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
    """The readings of one entry that the database does not know of yet."""

    tenant_id: str
    fleet_id: str
    key: str
    id: str
    uncounted: int = 0


class Readings:
    """`settled` is False while a batch is on its way, and `batches` grows with each: what is read from the database
    meanwhile may contain the batch or not."""

    def __init__(self) -> None:
        self.settled = True
        self.batches = 0
        self._waiting: list[Counter] = []

    def count(self, counter: Counter) -> None:
        """Note one reading."""
        counter.uncounted += 1
        if counter.uncounted == 1:
            self._waiting.append(counter)

    async def flush(self, store: Store) -> None:
        """Add what was counted until now; what cannot be added stays for the next time."""
        counters, self._waiting = self._waiting, []
        self.settled = False
        try:
            for start in range(0, len(counters), BATCH):
                await self._add(store, counters[start : start + BATCH])
        finally:
            self._waiting += [counter for counter in counters if counter.uncounted]
            self.batches += 1
            self.settled = True

    async def _add(self, store: Store, counters: Sequence[Counter]) -> None:
        rows = [_row(counter) for counter in counters]
        await store.apply(_add_readings, rows)
        for counter, row in zip(counters, rows, strict=True):
            counter.uncounted -= row["readings"]


def _row(counter: Counter) -> dict[str, Any]:
    return {
        "of_tenant_id": counter.tenant_id,
        "of_fleet_id": counter.fleet_id,
        "of_key": counter.key,
        "of_id": counter.id,
        "readings": counter.uncounted,
    }


def _add_readings(tx: Transaction, commands: Sequence[Sequence[dict[str, Any]]]) -> list[None]:
    for rows in commands:
        tx.execute(_ADD, rows)
    return [None] * len(commands)
