"""The port EventBus: the log of what happened, and its way to every node.

A change and its event are committed together by the Store; the relay then hands the event to the bus. So `publish`
sees each event at least once, already numbered; adapters and subscribers tell doubles by `event_id`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

import msgspec


class Audience(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who is entitled to an event: the whole fleet (both None), the agents named, or the subscribers of any tag."""

    agents: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None


FLEET = Audience()


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened in a fleet, numbered by `(epoch, seq)`: `seq` grows by one per fleet without a hole.

    `push` is the wire event that members receive (`activity:broadcast`), `body` its payload as encoded JSON.
    `kind`, `tags` and `agent_id` are what replay filters by; `key` keeps the order within a partition.
    """

    event_id: str
    tenant_id: str
    fleet_id: str
    topic: str
    push: str
    body: msgspec.Raw
    at: datetime
    key: str = "default"
    kind: str | None = None
    agent_id: str | None = None
    tags: tuple[str, ...] = ()
    audience: Audience = FLEET
    epoch: str = ""
    seq: int = 0


class Topic(msgspec.Struct, frozen=True):
    """One stream of one fleet, for instance the activity of a fleet."""

    tenant_id: str
    fleet_id: str
    name: str

    def __str__(self) -> str:
        return f"ringforge.{self.fleet_id}.{self.name}"


class TopicKind(msgspec.Struct, frozen=True):
    """A topic that every fleet has, and how a broker is to lay it out. `compacted` keeps the newest event of each key."""

    name: str
    partitions: int = 1
    compacted: bool = False


class BusLoad(msgspec.Struct, frozen=True):
    """How busy a bus is, in events: `queued` wait to be sent, `lag` were sent but this node did not handle them yet.

    Counted since the start: `refused` calls of publish found the queue full, `skipped` records were no events at all.
    """

    queued: int = 0
    lag: int = 0
    refused: int = 0
    skipped: int = 0


class ReplayFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay returns: instants inclusive, `tags` any of, the rest all of; oldest first.

    `viewer` is the agent that asks: events for other agents' eyes are left out. None sees all (the operator).
    `after_seq` is the cursor: only events with a greater `seq`. `newest` takes the newest `limit` instead of the oldest.
    """

    viewer: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    kinds: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    after_seq: int = 0
    limit: int = 100
    newest: bool = False

    def admits(self, event: Event) -> bool:
        """Whether the event passes, for adapters whose backend cannot tell; `limit` and `newest` are not looked at."""
        named = event.audience.agents
        return (
            event.seq > self.after_seq
            and (self.since is None or event.at >= self.since)
            and (self.until is None or event.at <= self.until)
            and (not self.kinds or event.kind in self.kinds)
            and (not self.agents or event.agent_id in self.agents)
            and (not self.tags or not set(self.tags).isdisjoint(event.tags))
            and (self.viewer is None or named is None or self.viewer in named or self.viewer == event.agent_id)
        )


class Replay(msgspec.Struct, frozen=True):
    """Events oldest first; `next_seq` is the `after_seq` of the next page, None on the last page."""

    events: tuple[Event, ...]
    next_seq: int | None


Handler = Callable[[Sequence[Event]], Awaitable[None]]


class Subscription(ABC):
    @abstractmethod
    async def cancel(self) -> None:
        """Stop the deliveries; returns when no handler is running any more. A second call does nothing."""


class EventBus(ABC):
    """Carries events to subscribers and keeps them for replay. Every verb raises `Unavailable` when the broker is gone."""

    log_in_store: ClassVar[bool] = False
    """True when what it replays is the store's own log: then nothing has to be carried to it before it can be replayed."""

    @abstractmethod
    async def start(self) -> None:
        """Connect; returns when publish and subscribe work."""

    @abstractmethod
    async def stop(self) -> None:
        """Flush what was accepted, then disconnect. A second call does nothing."""

    @abstractmethod
    async def ensure_topic(
        self, topic: Topic, *, retention: timedelta, partitions: int = 1, compacted: bool = False
    ) -> None:
        """Create the topic, or bring its retention up to date; an existing topic keeps its partitions."""

    @abstractmethod
    async def publish(self, events: Sequence[Event]) -> None:
        """Take the events over, in this order; returns when they are safe. `Backpressure` when a queue is full."""

    @abstractmethod
    async def subscribe(self, handler: Handler, *, topics: Sequence[str] = (), group: str | None = None) -> Subscription:
        """Call `handler` with every event of these topic names (all when empty) of all fleets, from now on, in `seq` order.

        Without `group` each subscriber sees every event; members of a group share them. A handler that raises is
        called again with the same events.
        """

    @abstractmethod
    async def replay(self, topic: Topic, query: ReplayFilter) -> Replay:
        """Read the past; an unknown topic is an empty one. Sees every event whose publish returned."""

    @abstractmethod
    async def trim(self, topic: Topic, *, before: datetime) -> int:
        """Forget events older than `before`; returns how many, 0 for an unknown topic."""

    @abstractmethod
    async def drop_topic(self, topic: Topic) -> None:
        """Forget the topic and all its events; an unknown one is forgotten already."""

    @abstractmethod
    def load(self) -> BusLoad:
        """How busy the bus is right now, from what this node knows; never waits."""
