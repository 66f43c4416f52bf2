"""A tenant's fleets: listed, made, renamed and deleted, by its admins over HTTP and by agents that were granted it.

Every function is scoped by the tenant: a fleet of another one is not found. The actor goes into the audit log; who may
act is for the caller to decide. With `once`, a repeat gets the first result.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from msgspec import UNSET, UnsetType

from ringforge_core.identity.actor import Actor
from ringforge_core.identity.fleet_changes import (
    FleetCreation,
    FleetDeletion,
    FleetUpdate,
    create_fleets,
    delete_fleets,
    no_such_fleet,
    update_fleets,
)
from ringforge_core.identity.ids import new_uuid, now
from ringforge_core.identity.paging import next_cursor, page_of
from ringforge_core.identity.repeatable import apply_once
from ringforge_core.identity.tables import agents, fleets
from ringforge_core.plugin.records import CountedFleet, Fleet, Page
from ringforge_core.ports.store import Once, Store

__all__ = [
    "CountedFleet",
    "Fleet",
    "check_fleet",
    "create_fleet",
    "delete_fleet",
    "get_fleet",
    "list_fleets",
    "update_fleet",
]


async def create_fleet(
    store: Store, tenant_id: str, *, name: str, description: str | None = None, actor: Actor, once: Once | None = None
) -> Fleet:
    """Raises `Conflict` (`create_failed`) for a name that the tenant has already, and `LimitReached` (`fleets`)."""
    at = now()
    fleet = Fleet(id=new_uuid(), tenant_id=tenant_id, name=name, description=description, inserted_at=at, updated_at=at)
    return await apply_once(store, create_fleets, FleetCreation(fleet, actor), Fleet, once=once)


async def update_fleet(
    store: Store,
    tenant_id: str,
    fleet_id: str,
    *,
    name: str | UnsetType = UNSET,
    description: str | UnsetType | None = UNSET,
    actor: Actor,
    once: Once | None = None,
) -> Fleet:
    """Change what is given. Raises `NotFound`, and `Conflict` (`update_failed`) for a name that another fleet has."""
    update = FleetUpdate(tenant_id, fleet_id, name, description, actor, now())
    return await apply_once(store, update_fleets, update, Fleet, once=once)


async def delete_fleet(store: Store, tenant_id: str, fleet_id: str, *, actor: Actor, once: Once | None = None) -> Fleet:
    """Delete a fleet and its keys; what else it leaves is purged in the background. Returns what it was.

    Raises `NotFound`, and `Conflict`: `has_agents` or `last_fleet`.
    """
    deletion = FleetDeletion(tenant_id, fleet_id, actor, now())
    return await apply_once(store, delete_fleets, deletion, Fleet, once=once)


async def list_fleets(store: Store, tenant_id: str, *, cursor: str | None = None, limit: int = 200) -> Page[CountedFleet]:
    """The tenant's fleets, newest first. Raises `InvalidPayload` for a cursor that no page came with."""
    query = page_of(sa.select(fleets).where(fleets.c.tenant_id == tenant_id), fleets, cursor=cursor, limit=limit)

    def read(connection: sa.Connection) -> Page[CountedFleet]:
        rows = list(connection.execute(query).mappings())
        return Page(_counted(connection, tenant_id, rows[:limit]), next_cursor(rows, limit))

    return await store.read(read)


async def check_fleet(store: Store, tenant_id: str, fleet_id: str) -> None:
    """Raises `NotFound` unless the tenant has it."""
    query = sa.select(fleets.c.id).where(fleets.c.tenant_id == tenant_id, fleets.c.id == fleet_id)
    if await store.read(lambda connection: connection.execute(query).first()) is None:
        raise no_such_fleet()


async def get_fleet(store: Store, tenant_id: str, fleet_id: str) -> CountedFleet:
    """Raises `NotFound`."""
    query = sa.select(fleets).where(fleets.c.tenant_id == tenant_id, fleets.c.id == fleet_id)

    def read(connection: sa.Connection) -> list[CountedFleet]:
        return _counted(connection, tenant_id, list(connection.execute(query).mappings()))

    found = await store.read(read)
    if not found:
        raise no_such_fleet()
    return found[0]


def _counted(connection: sa.Connection, tenant_id: str, rows: list[Any]) -> list[CountedFleet]:
    fleet_ids = [row["id"] for row in rows]
    agent_counts = _count(connection, agents, tenant_id, fleet_ids)
    squad_counts = _count_squads(connection, tenant_id, fleet_ids)
    return [
        CountedFleet(**row, agent_count=agent_counts.get(row["id"], 0), squad_count=squad_counts.get(row["id"], 0))
        for row in rows
    ]


def _count_squads(connection: sa.Connection, tenant_id: str, fleet_ids: Collection[str]) -> dict[str, int]:
    """Squads are kept by the capability groups, if the hub has it: the table may not be there."""
    if not sa.inspect(connection).has_table("groups"):
        return {}
    groups = sa.table("groups", *(sa.column(name) for name in ("tenant_id", "fleet_id", "type", "status")))
    active_squad = sa.and_(groups.c.type == "squad", groups.c.status == "active")
    return _count(connection, groups, tenant_id, fleet_ids, active_squad)


def _count(
    connection: sa.Connection,
    table: sa.TableClause,
    tenant_id: str,
    fleet_ids: Collection[str],
    condition: sa.ColumnElement[bool] | None = None,
) -> dict[str, int]:
    query = (
        sa.select(table.c.fleet_id, sa.func.count().label("counted"))
        .where(table.c.tenant_id == tenant_id, table.c.fleet_id.in_(fleet_ids))
        .group_by(table.c.fleet_id)
    )
    if condition is not None:
        query = query.where(condition)
    return {row.fleet_id: row.counted for row in connection.execute(query)}
