"""An agent goes away from its fleet: it is moved or deleted."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from ringforge_core.identity.lookup import select_in
from ringforge_core.mesh.groups.changes import GroupChanges
from ringforge_core.mesh.groups.membership import take_out
from ringforge_core.mesh.groups.tables import group_members, groups
from ringforge_core.ports.store import Departure, Transaction


def leave_all_groups(tx: Transaction, departures: Sequence[Departure]) -> None:
    """Take the agents out of their active groups, but for those of the fleet that they stay in.

    The fleet hears of it in the commit that moves or deletes them, and what they owned is handed over or dissolved. Who
    moves an agent without this loses nothing: an agent is a member only of groups of its own fleet, and the rest follows
    when it joins or by the sweeper.
    """
    tenants = {departure.tenant_id for departure in departures}
    active = (
        sa.select(group_members.c.tenant_id, group_members.c.fleet_id, group_members.c.agent_id, groups.c.id)
        .join(groups, groups.c.id == group_members.c.group_row_id)
        .where(group_members.c.tenant_id.in_(tenants), groups.c.status == "active")
    )
    leaving = {(departure.tenant_id, departure.agent_id): departure for departure in departures}
    ending = [
        (row["tenant_id"], row["id"], leaving[row["tenant_id"], row["agent_id"]])
        for row in select_in(tx, active, group_members.c.agent_id, {departure.agent_id for departure in departures})
        if (row["tenant_id"], row["agent_id"]) in leaving
        and row["fleet_id"] != leaving[row["tenant_id"], row["agent_id"]].stays_in
    ]
    if not ending:
        return
    changes = GroupChanges(tx)
    changes.load_rows(tenants, {row_id for _, row_id, _ in ending})
    for tenant_id, row_id, departure in ending:
        group = changes.find_row(tenant_id, row_id)
        if group is not None and group.status == "active":
            take_out(changes, group, departure.agent_id, at=departure.at)
    changes.write()
