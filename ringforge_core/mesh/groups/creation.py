"""Making groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert  # its `on_conflict_do_nothing` is valid SQLite as well

from ringforge_core.errors import Conflict, LimitReached, NotFound, Refused
from ringforge_core.identity.actor import Actor
from ringforge_core.identity.ids import new_uuid
from ringforge_core.identity.lookup import select_in
from ringforge_core.mesh.groups.announcements import announcement
from ringforge_core.mesh.groups.changes import decide_each
from ringforge_core.mesh.groups.fleet_agents import agents_present, fleets_of_agents
from ringforge_core.mesh.groups.group import Group, Membership, new_group_id
from ringforge_core.mesh.groups.messages import GroupReply, GroupType
from ringforge_core.mesh.groups.pushes import Created, Invited
from ringforge_core.mesh.groups.rows import member_row
from ringforge_core.mesh.groups.rules import GROUPS_AT_MOST, GroupRules
from ringforge_core.mesh.groups.tables import IS_ACTIVE, group_members, groups
from ringforge_core.plugin import encode_payload
from ringforge_core.ports.event_bus import Audience
from ringforge_core.ports.store import Transaction


class Creation(msgspec.Struct, frozen=True, kw_only=True):
    """A group that is to be made. An agent that makes one owns it; what administration makes is empty."""

    tenant_id: str
    fleet_id: str
    actor: Actor
    name: str
    type: GroupType
    capabilities: tuple[str, ...]
    settings: dict[str, Any]
    rules: GroupRules
    invite: tuple[str, ...]
    at: datetime


def create_groups(tx: Transaction, commands: Sequence[Creation]) -> list[GroupReply | Refused]:
    """Make the groups with their first members; a name is taken while an active group of the fleet has it."""
    return [made if isinstance(made, Refused) else GroupReply(**made.fields()) for made in make_groups(tx, commands)]


def make_groups(tx: Transaction, commands: Sequence[Creation]) -> list[Group | Refused]:
    """`create_groups`, with the groups as they are stored."""
    invited = {(command.tenant_id, agent_id) for command in commands for agent_id in command.invite}
    fleets, active = fleets_of_agents(tx, invited), _count_active(tx, commands)
    drafts = decide_each(lambda command: _draft(tx, command, fleets, active), commands)
    named = _insert(tx, [draft for draft in drafts if isinstance(draft, Group)])
    results = [_name_taken(draft) if isinstance(draft, Group) and draft.id not in named else draft for draft in drafts]
    members = [
        member_row(group, member) for group in results if isinstance(group, Group) for member in group.members.values()
    ]
    if members:
        tx.execute(_INSERT_MEMBERS, members)
    for command, group in zip(commands, results, strict=True):
        if isinstance(group, Group):
            _announce(tx, command, group)
    return results


def _draft(
    tx: Transaction, command: Creation, fleets: Mapping[tuple[str, str], str], active: Counter[tuple[str, str]]
) -> Group:
    """The group with its members. Invites that do not fit are refused; of those who are only present, some stay out."""
    fleet = (command.tenant_id, command.fleet_id)
    if active[fleet] >= GROUPS_AT_MOST:
        raise LimitReached(
            f"A fleet can have {GROUPS_AT_MOST} active groups.",
            reason="too_many_groups",
            limit=GROUPS_AT_MOST,
            fix="Dissolve groups that are no longer needed.",
        )
    creator = command.actor.id if command.actor.kind == "agent" else None
    guests = dict.fromkeys(agent_id for agent_id in command.invite if agent_id != creator)
    for agent_id in guests:
        if fleets.get((command.tenant_id, agent_id)) != command.fleet_id:
            raise NotFound(
                f"There is no agent {agent_id} in your fleet.",
                reason="agent_not_found",
                field="invite",
                fix="See presence:roster or agent:list_profiles for the ids.",
            )
    group = Group(
        id=new_uuid(),
        tenant_id=command.tenant_id,
        fleet_id=command.fleet_id,
        group_id=new_group_id(),
        name=command.name,
        type=command.type,
        created_by=creator,
        capabilities=encode_payload(command.capabilities),
        settings=encode_payload(command.settings),
        max_members=command.rules.max_members,
        auto_join=command.rules.auto_join,
        inserted_at=command.at,
        active_at=command.at,
    )
    if creator is not None:
        group.members[creator] = Membership(creator, "owner", command.at)
    if len(group.members) + len(guests) > group.max_members:
        raise LimitReached(
            f"The group takes {group.max_members} members.",
            reason="group_full",
            limit=group.max_members,
            fix="Invite fewer agents, or raise settings.max_members.",
        )
    if group.auto_join:
        guests.update(dict.fromkeys(agents_present(tx, group.tenant_id, group.fleet_id)))
    for agent_id in guests:
        if agent_id not in group.members and not group.is_full:
            group.members[agent_id] = Membership(agent_id, "member" if group.owner_count else "owner", command.at)
    active[fleet] += 1
    return group


def _count_active(tx: Transaction, commands: Sequence[Creation]) -> Counter[tuple[str, str]]:
    """How many active groups the fleets have."""
    of_fleets = (
        groups.c.tenant_id.in_({command.tenant_id for command in commands}),
        groups.c.fleet_id.in_({command.fleet_id for command in commands}),
    )
    query = sa.select(groups.c.tenant_id, groups.c.fleet_id, sa.func.count().label("active")).where(*of_fleets, IS_ACTIVE)
    rows = tx.execute(query.group_by(groups.c.tenant_id, groups.c.fleet_id))
    return Counter({(row.tenant_id, row.fleet_id): row.active for row in rows})


def _insert(tx: Transaction, drafts: Sequence[Group]) -> set[str]:
    """The ids of those that got their name: of two at once, also on two hubs, it is one."""
    if not drafts:
        return set()
    in_lock_order = sorted(drafts, key=lambda group: (group.fleet_id, group.name))
    tx.execute(_INSERT, [_row(group) for group in in_lock_order])
    tenants = {group.tenant_id for group in drafts}
    query = sa.select(groups.c.id).where(groups.c.tenant_id.in_(tenants))
    return {row["id"] for row in select_in(tx, query, groups.c.id, {group.id for group in drafts})}


def _announce(tx: Transaction, command: Creation, group: Group) -> None:
    by = group.created_by or "system"
    tx.append(announcement(group, Created(**group.fields()), by=by))
    guests = tuple(agent_id for agent_id in group.members if agent_id != group.created_by)
    if guests:
        invited = Invited(group_id=group.group_id, name=group.name, type=group.type, invited_by=group.created_by)
        tx.append(announcement(group, invited, by=by, audience=Audience(agents=guests)))
    tx.audit(
        command.actor.did(
            "group.created", group.tenant_id, target=("group", group.group_id), name=group.name, type=group.type
        )
    )


def _name_taken(draft: Group) -> Conflict:
    return Conflict(
        f"An active group of your fleet is named {draft.name}.",
        reason="name_taken",
        field="name",
        fix="Choose another name, or join that group: see group:list.",
    )


_INSERT = insert(groups).on_conflict_do_nothing(index_elements=["fleet_id", "name"], index_where=IS_ACTIVE)
_INSERT_MEMBERS = group_members.insert()


def _row(group: Group) -> dict[str, Any]:
    return {
        "id": group.id,
        "tenant_id": group.tenant_id,
        "fleet_id": group.fleet_id,
        "group_id": group.group_id,
        "name": group.name,
        "type": group.type,
        "created_by": group.created_by,
        "capabilities": bytes(group.capabilities).decode(),
        "settings": bytes(group.settings).decode(),
        "max_members": group.max_members,
        "auto_join": group.auto_join,
        "status": group.status,
        "inserted_at": group.inserted_at,
        "active_at": group.active_at,
    }
