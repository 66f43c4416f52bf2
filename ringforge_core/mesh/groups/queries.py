"""Reading groups, each query within one fleet; the functions are for `Store.read`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import UNSET

from ringforge_core.identity.ids import iso
from ringforge_core.identity.paging import next_cursor, page_of
from ringforge_core.mesh.groups.group import Membership
from ringforge_core.mesh.groups.messages import GroupFields, GroupList, ListGroups, ListMyGroups, MemberFields, Members
from ringforge_core.mesh.groups.rows import group_of, membership_of, of_fleet
from ringforge_core.mesh.groups.tables import group_members, groups
from ringforge_core.mesh.past import REPLY_BYTES

Rows = Sequence[sa.RowMapping]


def read_groups(connection: sa.Connection, tenant_id: str, fleet_id: str, request: ListGroups) -> GroupList:
    """A page of the fleet's groups. Raises `InvalidPayload` for a strange cursor, as does `read_groups_of_agent`."""
    query = _groups(tenant_id, fleet_id).where(groups.c.status == request.status)
    if request.type is not None:
        query = query.where(groups.c.type == request.type)
    return _page(connection, tenant_id, query, request)


def read_groups_of_agent(
    connection: sa.Connection, tenant_id: str, fleet_id: str, agent_id: str, request: ListMyGroups
) -> GroupList:
    """A page of the active groups that an agent is a member of."""
    mine = sa.select(group_members.c.group_row_id).where(
        group_members.c.tenant_id == tenant_id,
        group_members.c.fleet_id == fleet_id,
        group_members.c.agent_id == agent_id,
    )
    query = _groups(tenant_id, fleet_id).where(groups.c.status == "active", groups.c.id.in_(mine))
    return _page(connection, tenant_id, query, request)


def read_members(connection: sa.Connection, tenant_id: str, fleet_id: str, group_id: str) -> Members | None:
    """None when the fleet has no such group."""
    of_group = _groups(tenant_id, fleet_id).where(groups.c.group_id == group_id)
    row_id = connection.execute(of_group.with_only_columns(groups.c.id)).scalar()
    if row_id is None:
        return None
    members = memberships(connection, tenant_id, [row_id]).get(row_id, {}).values()
    return Members(members=[MemberFields(each.agent_id, each.role, iso(each.joined_at)) for each in members])


def memberships(connection: sa.Connection, tenant_id: str, row_ids: Sequence[str]) -> dict[str, dict[str, Membership]]:
    """The members of each group by its row id, who is longest in it first."""
    found: dict[str, dict[str, Membership]] = {}
    query = of_fleet([tenant_id]).where(group_members.c.group_row_id.in_(row_ids))
    for row in connection.execute(query).mappings():
        found.setdefault(row["group_row_id"], {})[row["agent_id"]] = membership_of(row)
    return found


def _groups(tenant_id: str, fleet_id: str) -> sa.Select[Any]:
    return sa.select(groups).where(groups.c.tenant_id == tenant_id, groups.c.fleet_id == fleet_id)


def _page(
    connection: sa.Connection, tenant_id: str, query: sa.Select[Any], request: ListGroups | ListMyGroups
) -> GroupList:
    """Newest first, as many as fit into one reply."""
    rows = connection.execute(page_of(query, groups, cursor=request.cursor, limit=request.limit)).mappings().all()
    shown = _fitting(_fields(connection, tenant_id, rows[: request.limit]))
    return GroupList(groups=shown, next_cursor=next_cursor(list(rows), len(shown)) or UNSET)


def _fields(connection: sa.Connection, tenant_id: str, rows: Rows) -> list[GroupFields]:
    counts = _member_counts(connection, tenant_id, [row["id"] for row in rows])
    return [_shown(row, counts.get(row["id"], 0)) for row in rows]


def _shown(row: sa.RowMapping, member_count: int) -> GroupFields:
    fields = GroupFields(**{**group_of(row).fields(), "member_count": member_count})
    if row["dissolved_at"] is not None:
        fields.dissolved_at = iso(row["dissolved_at"])
        fields.result = msgspec.Raw(row["result"].encode())
    return fields


def _member_counts(connection: sa.Connection, tenant_id: str, row_ids: Sequence[str]) -> dict[str, int]:
    members = of_fleet([tenant_id]).where(group_members.c.group_row_id.in_(row_ids)).order_by(None).subquery()
    query = sa.select(members.c.group_row_id, sa.func.count().label("members")).group_by(members.c.group_row_id)
    return {row.group_row_id: row.members for row in connection.execute(query)}


def _fitting(fields: list[GroupFields]) -> list[GroupFields]:
    """The first that fit into one reply; always one at least, if there is one."""
    size = 0
    for count, each in enumerate(fields):
        size += len(msgspec.json.encode(each))
        if count and size > REPLY_BYTES:
            return fields[:count]
    return fields
