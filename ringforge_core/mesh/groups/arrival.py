"""An agent has joined the hub: into the groups that take everybody in, out of those of a fleet that it was moved from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from ringforge_core.identity.lookup import select_in
from ringforge_core.mesh.groups.changes import GroupChanges
from ringforge_core.mesh.groups.departure import leave_all_groups
from ringforge_core.mesh.groups.membership import put_in
from ringforge_core.mesh.groups.tables import IS_OPEN_TO_ALL, group_departures, groups
from ringforge_core.ports.store import Departure, Transaction


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    tenant_id: str
    fleet_id: str
    agent_id: str
    at: datetime


def welcome_agents(tx: Transaction, arrivals: Sequence[Arrival]) -> list[None]:
    """Put each agent into every group with `auto_join` of its fleet, unless the group is full or the agent once left it.

    Costs two reads for a whole batch when there is no such group.
    """
    leave_all_groups(
        tx,
        [
            Departure(tenant_id=arrival.tenant_id, agent_id=arrival.agent_id, stays_in=arrival.fleet_id, at=arrival.at)
            for arrival in arrivals
        ],
    )
    open_groups = _open_groups(tx, arrivals)
    if open_groups:
        _put_in_all(tx, arrivals, open_groups)
    return [None] * len(arrivals)


def _open_groups(tx: Transaction, arrivals: Sequence[Arrival]) -> dict[tuple[str, str], list[str]]:
    """The row ids of the groups with `auto_join` by tenant and fleet, oldest first."""
    query = (
        sa.select(groups.c.id, groups.c.tenant_id, groups.c.fleet_id)
        .where(groups.c.tenant_id.in_({arrival.tenant_id for arrival in arrivals}), IS_OPEN_TO_ALL)
        .order_by(groups.c.inserted_at, groups.c.id)
    )
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in select_in(tx, query, groups.c.fleet_id, {arrival.fleet_id for arrival in arrivals}):
        found[row["tenant_id"], row["fleet_id"]].append(row["id"])
    return found


def _put_in_all(tx: Transaction, arrivals: Sequence[Arrival], open_groups: dict[tuple[str, str], list[str]]) -> None:
    changes = GroupChanges(tx)
    row_ids = {row_id for found in open_groups.values() for row_id in found}
    changes.load_rows({tenant_id for tenant_id, _ in open_groups}, row_ids)
    departed = _departed(tx, arrivals)
    for arrival in arrivals:
        for row_id in open_groups.get((arrival.tenant_id, arrival.fleet_id), ()):
            group = changes.find_row(arrival.tenant_id, row_id)
            if group is None or group.status == "dissolved" or group.is_full:
                continue
            if arrival.agent_id not in group.members and (row_id, arrival.agent_id) not in departed:
                put_in(changes, group, arrival.agent_id, at=arrival.at)
    changes.write()


def _departed(tx: Transaction, arrivals: Sequence[Arrival]) -> set[tuple[str, str]]:
    """The groups that agents left, as row id and agent id."""
    query = sa.select(group_departures.c.group_row_id, group_departures.c.agent_id).where(
        group_departures.c.tenant_id.in_({arrival.tenant_id for arrival in arrivals})
    )
    rows = select_in(tx, query, group_departures.c.agent_id, {arrival.agent_id for arrival in arrivals})
    return {(row["group_row_id"], row["agent_id"]) for row in rows}
