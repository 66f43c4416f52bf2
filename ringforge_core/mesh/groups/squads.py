"""Squads as administration sees them: who is in them, and which squad an agent is in."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from ringforge_core.mesh.groups.group import Group
from ringforge_core.mesh.groups.messages import GroupType, Role, Status
from ringforge_core.mesh.groups.queries import memberships
from ringforge_core.mesh.groups.rows import group_of, of_fleet
from ringforge_core.mesh.groups.tables import group_members, groups


class Squad(msgspec.Struct, frozen=True, kw_only=True):
    """A squad as administration sees it: `id` is the squad_id, `group_id` what agents know it by."""

    id: str
    group_id: str
    name: str
    type: GroupType
    fleet_id: str
    capabilities: list[str]
    status: Status


class SquadMember(msgspec.Struct, frozen=True, kw_only=True):
    agent_id: str
    role: Role


class SquadOverview(Squad, frozen=True, kw_only=True):
    """A squad with its members, who is longest in it first."""

    agents: list[SquadMember]
    member_count: int


def read_squads(connection: sa.Connection, tenant_id: str, fleet_id: str) -> list[SquadOverview]:
    """The fleet's active squads, newest first; for `Store.read`."""
    query = sa.select(groups).where(
        groups.c.tenant_id == tenant_id,
        groups.c.fleet_id == fleet_id,
        groups.c.type == "squad",
        groups.c.status == "active",
    )
    found = connection.execute(query.order_by(groups.c.inserted_at.desc(), groups.c.id)).mappings()
    squads = [group_of(row) for row in found]
    members = memberships(connection, tenant_id, [squad.id for squad in squads])
    for squad in squads:
        squad.members = members.get(squad.id, {})
    return [_overview(squad) for squad in squads]


def squads_of_agents(connection: sa.Connection, tenant_id: str, fleet_id: str) -> dict[str, str]:
    """The squad_id of each agent of the fleet that is in an active squad, the last one that it joined."""
    rows = connection.execute(in_squads(tenant_id).where(groups.c.fleet_id == fleet_id))
    return {row.agent_id: row.group_row_id for row in rows}  # of several, the last one stays


def in_squads(tenant_id: str) -> sa.Select[Any]:
    """Memberships in active squads, the last one that an agent joined last."""
    return (
        of_fleet([tenant_id])
        .join(groups, groups.c.id == group_members.c.group_row_id)
        .where(groups.c.tenant_id == tenant_id, groups.c.type == "squad", groups.c.status == "active")
    )


def squad_fields(group: Group) -> dict[str, Any]:
    return {
        "id": group.id,
        "group_id": group.group_id,
        "name": group.name,
        "type": group.type,
        "fleet_id": group.fleet_id,
        "capabilities": msgspec.json.decode(group.capabilities),
        "status": group.status,
    }


def _overview(squad: Group) -> SquadOverview:
    members = [SquadMember(agent_id=each.agent_id, role=each.role) for each in squad.members.values()]
    return SquadOverview(**squad_fields(squad), agents=members, member_count=len(members))
