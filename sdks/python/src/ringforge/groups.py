"""Groups of agents: squads, pods, channels."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, TypeAlias, TypeVar

import msgspec

from ringforge.activity import Sender
from ringforge.feed import Feed
from ringforge.group_changes import NAMES, GroupChange, decode_change
from ringforge.inbox import Inbox, MessageStream
from ringforge.log import Position, RawPush
from ringforge.requests import Requests
from ringforge.stream import BUFFER, Stream

GroupType: TypeAlias = Literal["squad", "pod", "channel"]
Role: TypeAlias = Literal["owner", "admin", "member"]
Status: TypeAlias = Literal["active", "dissolved"]


class Group(msgspec.Struct, frozen=True):
    """A group as everybody in its fleet sees it; `created_by` is None for one that administration made."""

    group_id: str
    name: str
    type: str
    status: str
    member_count: int
    inserted_at: datetime
    capabilities: tuple[str, ...] = ()
    settings: dict[str, Any] = msgspec.field(default_factory=dict)
    created_by: str | None = None
    dissolved_at: datetime | None = None
    result: Any = None


class Member(msgspec.Struct, frozen=True):
    """An agent in a group."""

    agent_id: str
    role: str
    joined_at: datetime


class GroupMessage(msgspec.Struct, frozen=True):
    """What a member wrote to its group; `content` is any JSON."""

    message_id: str
    group_id: str
    sender: Sender = msgspec.field(name="from")
    content: Any = msgspec.field(name="message")
    timestamp: datetime


class Posted(msgspec.Struct, frozen=True):
    """`refused` are the members who do not get it, each with the reason: their inbox is full, or they are gone."""

    message_id: str
    refused: dict[str, str] = msgspec.field(default_factory=dict)


PAGE = 200
"""Groups that are asked for at once."""

T = TypeVar("T")


class _Page(msgspec.Struct):
    groups: builtins.list[Group]
    next_cursor: str | None = None


class _Members(msgspec.Struct):
    members: builtins.list[Member]


class Groups:
    """Make, join and leave groups, write to them; iterate over it for what is written in the groups of this agent."""

    def __init__(self, requests: Requests, feed: Feed) -> None:
        self._requests = requests
        self._feed = feed
        self._inbox = Inbox(feed, "group:message", _decode_message)

    async def create(
        self,
        name: str,
        *,
        type: GroupType = "squad",
        capabilities: Iterable[str] = (),
        settings: Mapping[str, Any] | None = None,
        invite: Iterable[str] = (),
        idempotency_key: str | None = None,
    ) -> Group:
        """Make a group that this agent owns; the agents invited (ids) are members at once.

        The hub acts on the settings `max_members` and `auto_join`. Raises `Conflict` (`name_taken`).
        """
        payload = {
            "name": name, "type": type, "capabilities": list(capabilities), "settings": dict(settings or {}),
            "invite": list(invite),
        }  # fmt: skip
        return await self._change("group:create", payload, Group, idempotency_key)

    async def join(self, group_id: str, *, idempotency_key: str | None = None) -> None:
        """Become a member. Raises `NotFound`, and `Conflict` (`group_dissolved`)."""
        await self._change("group:join", {"group_id": group_id}, dict[str, Any], idempotency_key)

    async def leave(self, group_id: str, *, idempotency_key: str | None = None) -> None:
        """Be a member no more; the last owner's role goes to another member. Raises `Forbidden` (`not_member`)."""
        await self._change("group:leave", {"group_id": group_id}, dict[str, Any], idempotency_key)

    async def set_role(self, group_id: str, agent_id: str, role: Role, *, idempotency_key: str | None = None) -> None:
        """Give a member a role; for owners. Raises `Forbidden`."""
        payload = {"group_id": group_id, "agent_id": agent_id, "role": role}
        await self._change("group:set_role", payload, dict[str, Any], idempotency_key)

    async def dissolve(self, group_id: str, result: Any = None, *, idempotency_key: str | None = None) -> None:
        """End the group with the result of its work, any JSON value; for owners. Raises `Forbidden`."""
        await self._change("group:dissolve", {"group_id": group_id, "result": result}, dict[str, Any], idempotency_key)

    async def message(self, group_id: str, content: Any, *, idempotency_key: str | None = None) -> Posted:
        """Write any JSON value of at most 100 KB to the members, this one included; who is away gets it later."""
        return await self._change("group:message", {"group_id": group_id, "message": content}, Posted, idempotency_key)

    async def list(self, *, status: Status = "active", type: GroupType | None = None) -> builtins.list[Group]:
        """The groups of the fleet, newest first."""
        return await self._all("group:list", {"status": status, "type": type})

    async def mine(self) -> builtins.list[Group]:
        """The active groups that this agent is a member of, newest first."""
        return await self._all("group:my_groups", {})

    async def members(self, group_id: str) -> builtins.list[Member]:
        """Who is in the group, longest first. Raises `NotFound`."""
        payload = {"group_id": group_id}
        return (await self._requests.read("group:members", payload, _Members)).members

    def stream(self, group_id: str | None = None, *, buffer: int = BUFFER) -> MessageStream[GroupMessage]:
        """What is written in the groups of this agent, or in one: what came while nobody read, then all that comes."""
        return self._inbox.stream(lambda message: group_id in (None, message.group_id), buffer=buffer)

    def __aiter__(self) -> MessageStream[GroupMessage]:
        return self.stream()

    def changes(self, *, since: Position | None = None, buffer: int = BUFFER) -> Stream[GroupChange]:
        """What becomes of the fleet's groups and their members from now on, or after `since`."""
        return Stream(self._feed, decode_change, names=NAMES, since=since, buffer=buffer)

    async def _all(self, event: str, payload: dict[str, Any]) -> builtins.list[Group]:
        pages = self._requests.pages(event, {**payload, "limit": PAGE}, _Page, enveloped=False)
        return [group async for page in pages for group in page.groups]

    async def _change(self, event: str, payload: dict[str, Any], reply: builtins.type[T], key: str | None) -> T:
        return await self._requests.send(event, payload, reply, idempotent=True, idempotency_key=key)


def _decode_message(push: RawPush) -> GroupMessage:
    return msgspec.json.decode(push.payload, type=GroupMessage)
