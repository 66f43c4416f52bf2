"""What agents send and get about groups; source: wire protocol 3.7 and 1.7."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ringforge_core.mesh.fields import STORABLE
from ringforge_core.mesh.groups.rules import MEMBERS_AT_MOST
from ringforge_core.plugin import Reason, Reply, Request

GroupType = Literal["squad", "pod", "channel"]
Status = Literal["active", "dissolved"]
Role = Literal["owner", "admin", "member"]

Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=STORABLE)]
GroupId = Annotated[str, Meta(max_length=100, pattern=STORABLE)]
AgentId = Annotated[str, Meta(max_length=100, pattern=STORABLE)]
Capabilities = Annotated[tuple[Annotated[str, Meta(max_length=100)], ...], Meta(max_length=64)]
Limit = Annotated[int, Meta(ge=1, le=500)]
Cursor = Annotated[str, Meta(max_length=200)]


class CreateGroup(Request):
    """`invite` names agents of the fleet, which become members at once. `settings` is at most 16 KB as JSON."""

    name: Name
    type: Annotated[GroupType, Reason("invalid_type")] = "squad"
    capabilities: Capabilities = ()
    settings: dict[str, Any] = msgspec.field(default_factory=dict)
    invite: Annotated[tuple[AgentId, ...], Meta(max_length=MEMBERS_AT_MOST)] = ()


class GroupFields(msgspec.Struct, kw_only=True):
    """A group as everybody in its fleet sees it; the last two are there once it is dissolved.

    `created_by` is an agent, or null for a group that administration made.
    """

    group_id: str
    name: str
    type: GroupType
    capabilities: list[str]
    status: Status
    created_by: str | None
    member_count: int
    settings: dict[str, Any]
    inserted_at: str
    dissolved_at: str | UnsetType = UNSET
    result: Any = UNSET


class GroupReply(GroupFields, Reply):
    """The group that was made."""


class JoinGroup(Request):
    group_id: GroupId


class JoinedGroup(Reply):
    group_id: str
    joined: Literal[True] = True


class LeaveGroup(Request):
    group_id: GroupId


class LeftGroup(Reply):
    group_id: str
    left: Literal[True] = True


class SetRole(Request):
    """A role for another member, or for oneself; a group can have several owners."""

    group_id: GroupId
    agent_id: AgentId
    role: Annotated[Role, Reason("invalid_role")]


class RoleSet(Reply):
    group_id: str
    agent_id: str
    role: Role


class DissolveGroup(Request):
    """`result` is any JSON of at most 100 KB: what came of the group's work."""

    group_id: GroupId
    result: Any = None


class DissolvedGroup(Reply):
    group_id: str
    dissolved: Literal[True] = True


class SendGroupMessage(Request):
    """`message` is any JSON of at most 100 KB; without it the whole payload is the message."""

    whole = "message"

    group_id: GroupId
    message: Any = None


class GroupMessageSent(Reply):
    """`refused` is there when members do not get it: each with its reason, `queue_full` or `not_found`."""

    message_id: str
    sent: Literal[True] = True
    refused: dict[str, str] | UnsetType = UNSET


class ListGroups(Request):
    """Newest first. `cursor` is the `next_cursor` of the page before."""

    status: Annotated[Status, Reason("invalid_status")] = "active"
    type: Annotated[GroupType | None, Reason("invalid_type")] = None
    limit: Limit = 500
    cursor: Cursor | None = None


class ListMyGroups(Request):
    """Newest first. `cursor` is the `next_cursor` of the page before."""

    limit: Limit = 500
    cursor: Cursor | None = None


class GroupList(Reply):
    """`next_cursor` is there when there are more groups."""

    groups: list[GroupFields]
    next_cursor: str | UnsetType = UNSET


class ListMembers(Request):
    group_id: GroupId


class MemberFields(msgspec.Struct):
    agent_id: str
    role: Role
    joined_at: str


class Members(Reply):
    """Who is longest in the group comes first."""

    members: list[MemberFields]
