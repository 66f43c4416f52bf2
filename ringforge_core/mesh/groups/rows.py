"""Groups and memberships as they lie in the tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import sqlalchemy as sa

from ringforge_core.identity.tables import agents
from ringforge_core.mesh.groups.group import Group, Membership
from ringforge_core.mesh.groups.tables import group_members

Row = Mapping[str, Any] | sa.RowMapping


def of_fleet(tenant_ids: Iterable[str]) -> sa.Select[Any]:
    """Memberships, who is longest in the group first. An agent that was moved to another fleet is no member any more."""
    return (
        sa.select(group_members)
        .where(group_members.c.tenant_id.in_(set(tenant_ids)), is_of_its_fleet())
        .order_by(group_members.c.joined_at, group_members.c.agent_id)
    )


def is_of_its_fleet() -> sa.ColumnElement[bool]:
    """Whether a membership's agent is there. No join: SQLite would begin with all agents of the tenant."""
    return (
        sa.select(agents.c.agent_id)
        .where(
            agents.c.tenant_id == group_members.c.tenant_id,
            agents.c.agent_id == group_members.c.agent_id,
            agents.c.fleet_id == group_members.c.fleet_id,
        )
        .correlate(group_members)
        .exists()
    )


def group_of(row: Row) -> Group:
    return Group(
        id=row["id"],
        tenant_id=row["tenant_id"],
        fleet_id=row["fleet_id"],
        group_id=row["group_id"],
        name=row["name"],
        type=row["type"],
        created_by=row["created_by"],
        capabilities=msgspec.Raw(row["capabilities"].encode()),
        settings=msgspec.Raw(row["settings"].encode()),
        max_members=row["max_members"],
        auto_join=row["auto_join"],
        inserted_at=row["inserted_at"],
        active_at=row["active_at"],
        status=row["status"],
    )


def membership_of(row: Row) -> Membership:
    return Membership(row["agent_id"], row["role"], row["joined_at"])


def member_row(group: Group, member: Membership) -> dict[str, Any]:
    return {
        "group_row_id": group.id,
        "agent_id": member.agent_id,
        "tenant_id": group.tenant_id,
        "fleet_id": group.fleet_id,
        "role": member.role,
        "joined_at": member.joined_at,
    }
