"""What agents are told about groups; source: wire protocol 3.7."""

from __future__ import annotations

from typing import Any

import msgspec

from ringforge_core.mesh.groups.messages import GroupFields, GroupType, Role
from ringforge_core.plugin import Push


class Created(GroupFields, Push):
    """A group was made."""

    wire = "group:created"


class MemberJoined(Push):
    """An agent became a member."""

    wire = "group:member_joined"

    group_id: str
    agent_id: str


class MemberLeft(Push):
    """An agent is no member any more."""

    wire = "group:member_left"

    group_id: str
    agent_id: str


class RoleChanged(Push):
    """A member has another role: an owner gave it, or the last owner left and it was handed over."""

    wire = "group:role_changed"

    group_id: str
    agent_id: str
    role: Role
    changed_by: str


class Dissolved(Push):
    """A group is over; `dissolved_by` is an agent, or `system` when the group was idle or empty."""

    wire = "group:dissolved"

    group_id: str
    result: Any
    dissolved_by: str


class Invited(Push):
    """You were made a member of a group; `invited_by` is null when it was administration."""

    wire = "group:invite"

    group_id: str
    name: str
    type: GroupType
    invited_by: str | None


class Sender(msgspec.Struct):
    agent_id: str
    name: str | None


class GroupMessage(Push):
    """A member wrote to its group."""

    wire = "group:message"

    message_id: str
    group_id: str
    sender: Sender = msgspec.field(name="from")
    message: Any
    timestamp: str
