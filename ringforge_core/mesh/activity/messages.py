"""What agents send and get about activities; source: wire protocol 3.2."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ringforge_core.mesh.fields import STORABLE
from ringforge_core.plugin import Push, Reason, Reply, Request

Kind = Literal["task_started", "task_progress", "task_completed", "task_failed", "discovery", "question", "alert", "custom"]
Scope = Literal["fleet", "tagged", "direct"]
Tag = Annotated[str, Meta(min_length=1, max_length=50, pattern=STORABLE)]
AgentId = Annotated[str, Meta(max_length=100, pattern=STORABLE)]

DATA_BYTES = 100_000
MAX_SUBSCRIPTIONS = 200


class BroadcastActivity(Request):
    """`data` is at most 100 KB as JSON; `to` is the agent that an activity of scope `direct` goes to."""

    kind: Annotated[Kind, Reason("invalid_activity_kind")]
    description: Annotated[str, Meta(max_length=10_000)] = ""
    tags: Annotated[tuple[Tag, ...], Meta(max_length=20)] = ()
    data: dict[str, Any] = msgspec.field(default_factory=dict)
    scope: Scope = "fleet"
    to: AgentId | None = None


class ActivityRecorded(Reply):
    event_id: str


class Sender(msgspec.Struct):
    agent_id: str
    name: str | None


class Activity(Push):
    """What an agent did; `timestamp` is ISO 8601 UTC."""

    wire = "activity:broadcast"

    event_id: str
    sender: Sender = msgspec.field(name="from")
    kind: str
    description: str
    tags: tuple[str, ...]
    data: dict[str, Any]
    timestamp: str


class SubscribeTags(Request):
    tags: Annotated[tuple[Tag, ...], Meta(max_length=MAX_SUBSCRIPTIONS)]


class UnsubscribeTags(Request):
    tags: Annotated[tuple[Tag, ...], Meta(max_length=MAX_SUBSCRIPTIONS)]


class SubscribedTags(Reply):
    """All tags that the agent follows now, sorted."""

    subscribed_tags: list[str]


class GetHistory(Request):
    """The newest `limit` activities, or those of the given kinds."""

    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    kinds: Annotated[tuple[Annotated[str, Meta(max_length=50, pattern=STORABLE)], ...], Meta(max_length=50)] = ()


class History(Reply):
    """Oldest first; `count` may be less than `limit` when no more fit into one message."""

    wire = "activity:history"

    events: list[dict[str, Any]]
    count: int
