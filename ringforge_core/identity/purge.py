"""What a deleted fleet leaves behind: its log, the bus's topics, and rows that do not go with it by a foreign key.

Any table with `tenant_id` and `fleet_id` is looked through, also a plugin's. A slice at a time, so that no commit has to
wait for a long deletion.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

import msgspec
import sqlalchemy as sa

from ringforge_core.identity import tables
from ringforge_core.identity.ids import now
from ringforge_core.identity.tables import deleted_fleets
from ringforge_core.plugin.periodic import Periodic
from ringforge_core.plugin.schema import metadata
from ringforge_core.ports.event_bus import EventBus, Topic
from ringforge_core.ports.store import Store, Transaction

SLICE = 1_000
GRACE = timedelta(minutes=1)
"""How long after its deletion a fleet is purged: by then what was still under way in it has come to its end."""

_KEPT = {tables.deleted_fleets.name, tables.agent_sessions.name}
"""Notes and history of the tenant, which outlive a fleet."""


class DeletedFleet(msgspec.Struct, frozen=True):
    tenant_id: str
    fleet_id: str


class Slice(msgspec.Struct, frozen=True):
    table: str
    fleet: DeletedFleet


class FleetPurge(Periodic):
    """A task that purges what was deleted, by whichever hub. Two hubs that purge one fleet do each other no harm."""

    def __init__(
        self, store: Store, bus: EventBus, topics: Iterable[str], *, interval: float = 60.0, grace: timedelta = GRACE
    ) -> None:
        self._store = store
        self._bus = bus
        self._topics = tuple(topics)
        self._grace = grace
        super().__init__("fleet-purge", self.purge, interval)

    async def purge(self) -> int:
        """Purge the fleets that were deleted long enough ago; returns how many."""
        query = sa.select(deleted_fleets.c.tenant_id, deleted_fleets.c.fleet_id).where(
            deleted_fleets.c.deleted_at <= now() - self._grace
        )
        fleets = [DeletedFleet(*row) for row in await self._store.read(lambda connection: connection.execute(query).all())]
        for fleet in fleets:
            await self._purge(fleet)
        return len(fleets)

    async def _purge(self, fleet: DeletedFleet) -> None:
        names = await self._store.read(_tables_of_fleets)
        for name in self._topics:
            await self._bus.drop_topic(Topic(fleet.tenant_id, fleet.fleet_id, name))
        for name in names:
            while await self._store.apply(_delete_slices, Slice(name, fleet)) == SLICE:
                pass
        await self._store.apply(_forget, fleet)


def _tables_of_fleets(connection: sa.Connection) -> list[str]:
    """Those that the database has: a capability that is not in use may have declared tables all the same."""
    existing = set(sa.inspect(connection).get_table_names())
    of_fleets = {name for name, table in metadata.tables.items() if {"tenant_id", "fleet_id"} <= set(table.c.keys())}
    return sorted((of_fleets & existing) - _KEPT)


def _delete_slices(tx: Transaction, commands: Sequence[Slice]) -> list[int]:
    return [_delete_slice(tx, metadata.tables[command.table], command.fleet) for command in commands]


def _delete_slice(tx: Transaction, table: sa.Table, fleet: DeletedFleet) -> int:
    key = sa.tuple_(*table.primary_key.columns)
    some = sa.select(*table.primary_key.columns).where(_of(table, fleet)).limit(SLICE)
    return tx.execute(table.delete().where(_of(table, fleet), key.in_(some))).rowcount


def _forget(tx: Transaction, commands: Sequence[DeletedFleet]) -> list[None]:
    for fleet in commands:
        tx.execute(deleted_fleets.delete().where(_of(deleted_fleets, fleet)))
    return [None] * len(commands)


def _of(table: sa.Table, fleet: DeletedFleet) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.tenant_id == fleet.tenant_id, table.c.fleet_id == fleet.fleet_id)
