"""Joining, leaving, roles, and the end of a group: the rules, and the writes by which agents use them.

A group that an agent made has an owner as long as it lives: when the last one goes, the admin who is longest in it takes
over, else the member; when nobody is left, the group dissolves. A squad that administration made may be empty; who comes
first owns it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any, Protocol

import msgspec

from ringforge_core.errors import Conflict, Forbidden, LimitReached, NotFound, Refused
from ringforge_core.identity.actor import HUB, Actor
from ringforge_core.mesh.groups.announcements import announcement
from ringforge_core.mesh.groups.changes import GroupChanges, decide_each
from ringforge_core.mesh.groups.group import Group, Membership
from ringforge_core.mesh.groups.messages import DissolvedGroup, JoinedGroup, LeftGroup, Role, RoleSet
from ringforge_core.mesh.groups.pushes import Dissolved, MemberJoined, MemberLeft, RoleChanged
from ringforge_core.plugin import encode_payload
from ringforge_core.ports.store import Transaction

SYSTEM = "system"


class OfAgent(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent wants with a group of its fleet."""

    tenant_id: str
    fleet_id: str
    group_id: str
    actor: Actor
    at: datetime


class RoleChange(OfAgent, frozen=True, kw_only=True):
    agent_id: str
    role: Role


class Dissolution(OfAgent, frozen=True, kw_only=True):
    result: Any


def join_groups(tx: Transaction, commands: Sequence[OfAgent]) -> list[JoinedGroup | Refused]:
    return _run(tx, commands, _join)


def leave_groups(tx: Transaction, commands: Sequence[OfAgent]) -> list[LeftGroup | Refused]:
    return _run(tx, commands, _leave)


def set_roles(tx: Transaction, commands: Sequence[RoleChange]) -> list[RoleSet | Refused]:
    return _run(tx, commands, _set_role)


def dissolve_groups(tx: Transaction, commands: Sequence[Dissolution]) -> list[DissolvedGroup | Refused]:
    return _run(tx, commands, _dissolve)


def put_in(changes: GroupChanges, group: Group, agent_id: str, *, at: datetime) -> None:
    """Make the agent a member and tell the fleet; it is none yet. Raises `LimitReached` when the group is full."""
    if group.is_full:
        raise LimitReached(
            f"The group takes {group.max_members} members.",
            reason="group_full",
            limit=group.max_members,
            fix="Wait until a member leaves, or make another group.",
        )
    changes.add(group, agent_id, "member" if group.owner_count else "owner", at)
    push = MemberJoined(group_id=group.group_id, agent_id=agent_id)
    changes.tx.append(announcement(group, push, by=agent_id))


def take_out(changes: GroupChanges, group: Group, agent_id: str, *, at: datetime) -> None:
    """End the membership, tell the fleet, and see to it that the group has an owner or ends."""
    changes.remove(group, agent_id, at)
    changes.tx.append(announcement(group, MemberLeft(group_id=group.group_id, agent_id=agent_id), by=agent_id))
    settle_ownership(changes, group, at=at)


def settle_ownership(changes: GroupChanges, group: Group, *, at: datetime) -> None:
    """Hand over a group that has lost its last owner; dissolve one that an agent made and nobody is in."""
    if group.status == "dissolved" or group.owner_count:
        return
    heir = group.heir()
    if heir is not None:
        give_role(changes, group, heir, "owner", by=HUB)
    elif group.created_by is not None:
        end(changes, group, None, by=HUB, at=at)


def give_role(changes: GroupChanges, group: Group, member: Membership, role: Role, *, by: Actor) -> None:
    """Give a member a role, tell the fleet, and note it in the audit log."""
    changes.set_role(group, member.agent_id, role)
    push = RoleChanged(group_id=group.group_id, agent_id=member.agent_id, role=role, changed_by=_named(by))
    changes.tx.append(announcement(group, push, by=_named(by)))
    changes.tx.audit(
        by.did("group.role_changed", group.tenant_id, target=("group", group.group_id), agent_id=member.agent_id, role=role)
    )


def end(changes: GroupChanges, group: Group, result: Any, *, by: Actor, at: datetime) -> None:
    """Dissolve the group: its name is free, its members stay on record, the fleet is told."""
    kept = encode_payload(result)
    changes.dissolve(group, kept, at)
    push = Dissolved(group_id=group.group_id, result=kept, dissolved_by=_named(by))
    changes.tx.append(announcement(group, push, by=_named(by)))
    changes.tx.audit(by.did("group.dissolved", group.tenant_id, target=("group", group.group_id), name=group.name))


def no_such_group() -> NotFound:
    return NotFound("There is no such group in your fleet.", fix="See group:list for the ids.", field="group_id")


def not_member() -> Forbidden:
    return Forbidden("You are not a member of this group.", reason="not_member", fix="Join it with group:join.")


def group_dissolved() -> Conflict:
    return Conflict("The group is dissolved.", reason="group_dissolved", fix="Make a new group; its name is free.")


class _Decision(Protocol):
    def __call__(self, changes: GroupChanges, command: Any) -> Any: ...


def _run(tx: Transaction, commands: Sequence[OfAgent], decide: _Decision) -> list[Any]:
    changes = GroupChanges(tx)
    changes.load({command.tenant_id for command in commands}, {command.group_id for command in commands})
    results = decide_each(partial(decide, changes), commands)
    changes.write()
    return results


def _join(changes: GroupChanges, command: OfAgent) -> JoinedGroup:
    group = _active(changes, command)
    if command.actor.id not in group.members:
        put_in(changes, group, command.actor.id, at=command.at)
    return JoinedGroup(group_id=group.group_id)


def _leave(changes: GroupChanges, command: OfAgent) -> LeftGroup:
    group = _active(changes, command)
    _membership(group, command.actor.id)
    take_out(changes, group, command.actor.id, at=command.at)
    return LeftGroup(group_id=group.group_id)


def _set_role(changes: GroupChanges, command: RoleChange) -> RoleSet:
    group = _owned(changes, command)
    member = group.members.get(command.agent_id)
    if member is None:
        raise NotFound(
            "The group has no such member.", reason="agent_not_found", field="agent_id", fix="See group:members."
        )
    if member.role == "owner" and command.role != "owner" and group.owner_count == 1:
        raise Conflict("The group needs an owner.", reason="last_owner", fix="Make another member its owner first.")
    if member.role != command.role:
        give_role(changes, group, member, command.role, by=command.actor)
    return RoleSet(group_id=group.group_id, agent_id=member.agent_id, role=command.role)


def _dissolve(changes: GroupChanges, command: Dissolution) -> DissolvedGroup:
    group = _owned(changes, command)
    end(changes, group, command.result, by=command.actor, at=command.at)
    return DissolvedGroup(group_id=group.group_id)


def _active(changes: GroupChanges, command: OfAgent) -> Group:
    group = changes.find(command.tenant_id, command.fleet_id, command.group_id)
    if group is None:
        raise no_such_group()
    if group.status == "dissolved":
        raise group_dissolved()
    return group


def _owned(changes: GroupChanges, command: OfAgent) -> Group:
    group = _active(changes, command)
    if _membership(group, command.actor.id).role != "owner":
        raise Forbidden("Only an owner of the group may do this.", fix="See group:members for its owners.")
    return group


def _membership(group: Group, agent_id: str) -> Membership:
    member = group.members.get(agent_id)
    if member is None:
        raise not_member()
    return member


def _named(actor: Actor) -> str:
    """As pushes name it: an agent by its id, whoever administers the tenant as `system`."""
    return actor.id if actor.kind == "agent" else SYSTEM
