"""What the fleet is told of its groups."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from ringforge.log import RawPush


class GroupCreated(msgspec.Struct, frozen=True):
    """There is a new group."""

    group_id: str
    name: str
    type: str
    inserted_at: datetime
    created_by: str | None = None


class GroupInvited(msgspec.Struct, frozen=True):
    """This agent was made a member; `invited_by` is None when it was administration."""

    group_id: str
    name: str
    type: str
    invited_by: str | None = None


class MemberJoined(msgspec.Struct, frozen=True):
    """An agent became a member."""

    group_id: str
    agent_id: str


class MemberLeft(msgspec.Struct, frozen=True):
    """An agent is no member any more."""

    group_id: str
    agent_id: str


class RoleChanged(msgspec.Struct, frozen=True):
    """A member has another role."""

    group_id: str
    agent_id: str
    role: str
    changed_by: str


class GroupDissolved(msgspec.Struct, frozen=True):
    """The group is over; `dissolved_by` is an agent, or `system`."""

    group_id: str
    dissolved_by: str
    result: Any = None


GroupChange: TypeAlias = GroupCreated | GroupInvited | MemberJoined | MemberLeft | RoleChanged | GroupDissolved

_TYPES: dict[str, type[GroupChange]] = {
    "group:created": GroupCreated,
    "group:invite": GroupInvited,
    "group:member_joined": MemberJoined,
    "group:member_left": MemberLeft,
    "group:role_changed": RoleChanged,
    "group:dissolved": GroupDissolved,
}

NAMES = frozenset(_TYPES)


def decode_change(push: RawPush) -> GroupChange:
    """`push` is one of `NAMES`."""
    return msgspec.json.decode(push.payload, type=_TYPES[push.name])
