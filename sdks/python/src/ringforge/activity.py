"""What the agents of the fleet do, told by them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Literal, TypeAlias

import msgspec

from ringforge.calls import Call, first_call
from ringforge.feed import Feed
from ringforge.log import Position, RawPush
from ringforge.requests import Requests
from ringforge.stream import BUFFER, Stream

Kind: TypeAlias = Literal[
    "task_started", "task_progress", "task_completed", "task_failed", "discovery", "question", "alert", "custom"
]
Scope: TypeAlias = Literal["fleet", "tagged", "direct"]


class Sender(msgspec.Struct, frozen=True):
    """Who told it; the task engine's id is `system`."""

    agent_id: str
    name: str | None = None


class ActivityEvent(msgspec.Struct, frozen=True):
    """One thing that an agent told. `position` is known for what came as a push, not for history and replay."""

    event_id: str
    sender: Sender = msgspec.field(name="from")
    kind: str
    timestamp: datetime
    description: str = ""
    tags: tuple[str, ...] = ()
    data: Any = None
    position: Position | None = None


class _Broadcast(msgspec.Struct):
    event_id: str


class _SubscribedTags(msgspec.Struct):
    subscribed_tags: list[str]


class _History(msgspec.Struct):
    events: list[ActivityEvent]


class Activity:
    """Tell the fleet, and hear it: iterate over it for what others (and this agent) tell from now on."""

    def __init__(self, requests: Requests, feed: Feed) -> None:
        self.tags: set[str] = set()
        """The tags subscribed to; they are kept over reconnects."""
        self._requests = requests
        self._feed = feed

    async def broadcast(
        self,
        kind: Kind,
        description: str = "",
        *,
        tags: Iterable[str] = (),
        data: Mapping[str, Any] | None = None,
        scope: Scope = "fleet",
        to: str | None = None,
        idempotency_key: str | None = None,
    ) -> str:
        """Tell it to the fleet, to the subscribers of the tags, or (`scope="direct"`) to one agent; returns the event's id.

        It is told once, over reconnects too. To try again after an error under the same key, give `idempotency_key`.
        """
        payload = {
            "kind": kind, "description": description, "tags": list(tags), "data": data or {}, "scope": scope, "to": to,
        }  # fmt: skip
        if to is None:
            del payload["to"]
        reply = await self._requests.send(
            "activity:broadcast", payload, _Broadcast, idempotent=True, idempotency_key=idempotency_key
        )
        return reply.event_id

    async def subscribe(self, tags: Iterable[str]) -> list[str]:
        """Also get what is told with `scope="tagged"` under any of these tags; returns all tags subscribed to now."""
        return await self._change_tags("activity:subscribe", tags)

    async def unsubscribe(self, tags: Iterable[str]) -> list[str]:
        """Returns the tags that remain."""
        return await self._change_tags("activity:unsubscribe", tags)

    async def history(self, limit: int = 50, kinds: Iterable[Kind] = ()) -> list[ActivityEvent]:
        """The newest `limit` (1 to 500) events, oldest first; of these kinds only, when any are given."""
        payload = {"limit": limit, "kinds": list(kinds) or None}
        return (await self._requests.fetch("activity:history", payload, _History)).events

    def stream(self, *, since: Position | None = None, buffer: int = BUFFER) -> Stream[ActivityEvent]:
        """What is told from now on, or after `since`; opened before `connect` it misses nothing of the connection."""
        return Stream(self._feed, _decode, names=frozenset({"activity:broadcast"}), since=since, buffer=buffer)

    def __aiter__(self) -> AsyncIterator[ActivityEvent]:
        return self.stream()

    def subscribe_again(self) -> Iterator[Call]:
        """The request that a new connection begins with; a hub that kept the tags takes it as it is."""
        if self.tags:
            yield first_call("activity:subscribe", {"tags": sorted(self.tags)})

    async def _change_tags(self, event: str, tags: Iterable[str]) -> list[str]:
        reply = await self._requests.send(event, {"tags": list(tags)}, _SubscribedTags, idempotent=True)
        self.tags = set(reply.subscribed_tags)
        return reply.subscribed_tags


def _decode(push: RawPush) -> ActivityEvent:
    event = msgspec.json.decode(push.payload, type=ActivityEvent)
    return msgspec.structs.replace(event, position=push.position)
