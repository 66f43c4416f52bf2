"""What the suites of the event bus are made with: topics and events of their own, and a handler that keeps what comes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from ringforge_core.ports.event_bus import Event, Topic

PublishDurably = Callable[[Sequence[Event]], Awaitable[list[Event]]]


class Collector:
    """A handler that keeps what it is given of one fleet; others may use the same broker."""

    def __init__(self, topic: Topic) -> None:
        self.events: list[Event] = []
        self._fleet_id = topic.fleet_id
        self._more = asyncio.Event()

    async def __call__(self, events: Sequence[Event]) -> None:
        self.events += [event for event in events if event.fleet_id == self._fleet_id]
        self._more.set()

    @property
    def ids(self) -> list[str]:
        """Event ids in the order of their first delivery: a bus may deliver twice."""
        return list(dict.fromkeys(event.event_id for event in self.events))

    async def wait_for(self, count: int, *, seconds: float) -> list[str]:
        """The ids as soon as there are `count` of them; fails after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                while len(self.ids) < count:
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            pytest.fail(f"{len(self.ids)} of {count} events arrived within {seconds} s")
        return self.ids


def new_topic(name: str = "activity") -> Topic:
    """A topic of a fleet that nobody else uses."""
    return Topic(str(uuid4()), str(uuid4()), name)


def new_event(topic: Topic, number: int = 0, **fields: Any) -> Event:
    """An event of the topic that is not numbered yet; `number` is told in its body."""
    body = msgspec.json.encode({"type": "activity", "event": "broadcast", "payload": {"number": number}})
    defaults = {
        "at": datetime.now(UTC),
        "push": "activity:broadcast",
        "body": msgspec.Raw(body),
        "agent_id": "ag_sender",
        "kind": "custom",
    }
    return Event(
        event_id=f"evt_{uuid4()}",
        tenant_id=topic.tenant_id,
        fleet_id=topic.fleet_id,
        topic=topic.name,
        **{**defaults, **fields},
    )


def new_events(topic: Topic, count: int, **fields: Any) -> list[Event]:
    return [new_event(topic, number, **fields) for number in range(count)]


def numbered(events: Sequence[Event], first: int = 1) -> list[Event]:
    """The events as the store numbers those of one fleet, from `first` on."""
    return [msgspec.structs.replace(event, epoch="contract", seq=seq) for seq, event in enumerate(events, first)]


def ids(events: Sequence[Event]) -> list[str]:
    return [event.event_id for event in events]


def readable(event: Event) -> dict[str, Any]:
    """All that an event carries, its body as an object: brokers may write it anew."""
    fields = msgspec.structs.asdict(event)
    built: dict[str, Any] = msgspec.to_builtins({**fields, "body": msgspec.json.decode(event.body)})
    return built
