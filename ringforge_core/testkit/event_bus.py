"""The contract of the port EventBus as a test suite: an adapter proves itself by a subclass and a fixture.

    class TestNatsEventBus(EventBusContract):
        @pytest.fixture
        async def bus(self):
            bus = NatsEventBus(...)
            await bus.start()
            yield bus
            await bus.stop()

In a hub every event is committed to the store and numbered before it is published. The fixture `publish_durably` stands
for that: here it only numbers. An adapter that reads the store overrides it with one that commits first, then publishes,
and returns the events as they were published. Needs pytest and pytest-asyncio in auto mode.
"""

# ruff: noqa: S101 — asserts are what a test suite is made of

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from ringforge_core.ports.event_bus import FLEET, Audience, Event, EventBus, ReplayFilter, Topic

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
    defaults = {"at": datetime.now(UTC), "push": "activity:broadcast", "agent_id": "ag_sender", "kind": "custom"}
    body = msgspec.json.encode({"type": "activity", "event": "broadcast", "payload": {"number": number}})
    return Event(
        event_id=f"evt_{uuid4()}",
        tenant_id=topic.tenant_id,
        fleet_id=topic.fleet_id,
        topic=topic.name,
        body=msgspec.Raw(body),
        **{**defaults, **fields},
    )


def new_events(topic: Topic, count: int, **fields: Any) -> list[Event]:
    return [new_event(topic, number, **fields) for number in range(count)]


def ids(events: Sequence[Event]) -> list[str]:
    return [event.event_id for event in events]


class EventBusContract:
    """Inherit, and provide the fixture `bus`. Every test uses topics of its own, so a broker may be shared."""

    seconds = 10.0
    """How long an adapter may take to deliver."""

    @pytest.fixture
    def publish_durably(self, bus: EventBus) -> PublishDurably:
        """Number the events as the store would, publish them, and return them numbered."""
        newest: Counter[str] = Counter()

        async def publish(events: Sequence[Event]) -> list[Event]:
            numbered = []
            for event in events:
                newest[event.fleet_id] += 1
                numbered.append(msgspec.structs.replace(event, epoch="contract", seq=newest[event.fleet_id]))
            await bus.publish(numbered)
            return numbered

        return publish

    # --- delivery -----------------------------------------------------------------------------------------------

    async def test_events_of_a_fleet_arrive_in_order(self, bus: EventBus, publish_durably: PublishDurably) -> None:
        topic = new_topic()
        collector = Collector(topic)
        await bus.subscribe(collector)
        sent = []
        for start in range(0, 200, 20):
            events = [new_event(topic, start + n, key=f"key-{n % 3}") for n in range(20)]
            sent += await publish_durably(events)
        assert await collector.wait_for(200, seconds=self.seconds) == ids(sent)

    async def test_events_arrive_as_they_were_published(self, bus: EventBus, publish_durably: PublishDurably) -> None:
        topic = new_topic()
        collector = Collector(topic)
        await bus.subscribe(collector)
        event = new_event(topic, kind="alert", tags=("a", "b"), audience=Audience(agents=("ag_1",)), key="k")
        (sent,) = await publish_durably([event])
        await collector.wait_for(1, seconds=self.seconds)
        assert msgspec.to_builtins(_readable(collector.events[0])) == msgspec.to_builtins(_readable(sent))

    async def test_every_subscriber_sees_every_event(self, bus: EventBus, publish_durably: PublishDurably) -> None:
        topic = new_topic()
        first, second = Collector(topic), Collector(topic)
        await bus.subscribe(first)
        await bus.subscribe(second)
        sent = ids(await publish_durably(new_events(topic, 10)))
        assert await first.wait_for(10, seconds=self.seconds) == sent
        assert await second.wait_for(10, seconds=self.seconds) == sent

    async def test_only_the_topics_asked_for_arrive(self, bus: EventBus, publish_durably: PublishDurably) -> None:
        activity = new_topic()
        memory = Topic(activity.tenant_id, activity.fleet_id, "memory")
        collector = Collector(activity)
        await bus.subscribe(collector, topics=["memory"])
        sent = await publish_durably([new_event(topic, n) for n in range(10) for topic in (activity, memory)])
        assert await collector.wait_for(10, seconds=self.seconds) == [e.event_id for e in sent if e.topic == "memory"]

    async def test_members_of_a_group_share_the_events(self, bus: EventBus, publish_durably: PublishDurably) -> None:
        topic, group = new_topic(), f"workers-{uuid4()}"
        members, together = [Collector(topic), Collector(topic)], Collector(topic)
        for member in members:

            async def handle(events: Sequence[Event], member: Collector = member) -> None:
                await member(events)
                await together(events)

            await bus.subscribe(handle, group=group)
        sent = ids(await publish_durably([new_event(topic, n, key=f"key-{n}") for n in range(50)]))
        assert sorted(await together.wait_for(50, seconds=self.seconds)) == sorted(sent)
        assert not set(members[0].ids) & set(members[1].ids), "an event was handled by two members of a group"

    async def test_a_group_keeps_the_order_of_each_key(self, bus: EventBus, publish_durably: PublishDurably) -> None:
        topic, group = new_topic(), f"workers-{uuid4()}"
        collector = Collector(topic)

        async def quick(events: Sequence[Event]) -> None:
            await asyncio.sleep(0.001)
            await collector(events)

        async def sluggish(events: Sequence[Event]) -> None:
            await asyncio.sleep(0.02)
            await collector(events)

        await bus.subscribe(quick, group=group)
        await bus.subscribe(sluggish, group=group)
        sent: list[Event] = []
        for _ in range(10):
            sent += await publish_durably([new_event(topic, key=f"key-{n}") for n in range(4)])
        await collector.wait_for(40, seconds=self.seconds)
        key_of = {event.event_id: event.key for event in sent}
        for key in set(key_of.values()):
            arrived = [event_id for event_id in collector.ids if key_of[event_id] == key]
            assert arrived == [event.event_id for event in sent if event.key == key]

    async def test_a_handler_that_raises_gets_the_same_events_again(
        self, bus: EventBus, publish_durably: PublishDurably
    ) -> None:
        topic, calls = new_topic(), 0
        collector = Collector(topic)

        async def stumble(events: Sequence[Event]) -> None:
            nonlocal calls
            calls += 1
            if calls <= 2:
                raise RuntimeError("the handler stumbles twice, as this test wants")
            await collector(events)

        await bus.subscribe(stumble)
        sent = await publish_durably(new_events(topic, 5))
        assert await collector.wait_for(5, seconds=self.seconds) == ids(sent)

    async def test_a_slow_subscriber_does_not_hold_the_others(self, bus: EventBus, publish_durably: PublishDurably) -> None:
        topic, release = new_topic(), asyncio.Event()
        collector, late = Collector(topic), Collector(topic)

        async def block(events: Sequence[Event]) -> None:
            await release.wait()
            await late(events)

        await bus.subscribe(block)
        await bus.subscribe(collector)
        sent: list[Event] = []
        for _ in range(50):
            sent += await publish_durably(new_events(topic, 10))
        assert await collector.wait_for(500, seconds=self.seconds) == ids(sent)
        release.set()
        assert await late.wait_for(500, seconds=self.seconds) == ids(sent)

    async def test_a_subscription_begins_now(self, bus: EventBus, publish_durably: PublishDurably) -> None:
        topic = new_topic()
        before, collector = Collector(topic), Collector(topic)
        await bus.subscribe(before)
        await publish_durably(new_events(topic, 3))
        await before.wait_for(3, seconds=self.seconds)
        await bus.subscribe(collector)
        sent = await publish_durably(new_events(topic, 3))
        assert await collector.wait_for(3, seconds=self.seconds) == ids(sent)

    async def test_a_cancelled_subscription_gets_nothing_more(self, bus: EventBus, publish_durably: PublishDurably) -> None:
        topic = new_topic()
        gone, other = Collector(topic), Collector(topic)
        subscription = await bus.subscribe(gone)
        await bus.subscribe(other)
        await publish_durably(new_events(topic, 3))
        await gone.wait_for(3, seconds=self.seconds)
        await subscription.cancel()
        await subscription.cancel()
        await publish_durably(new_events(topic, 3))
        await other.wait_for(6, seconds=self.seconds)
        assert len(gone.ids) == 3

    async def test_stop_flushes_what_was_accepted(self, bus: EventBus, publish_durably: PublishDurably) -> None:
        topic = new_topic()
        collector = Collector(topic)

        async def unhurried(events: Sequence[Event]) -> None:
            await asyncio.sleep(0.01)
            await collector(events)

        await bus.subscribe(unhurried)
        sent = await publish_durably(new_events(topic, 100))
        await bus.stop()
        assert collector.ids == ids(sent)
        await bus.stop()

    # --- replay -------------------------------------------------------------------------------------------------

    async def test_replay_returns_what_was_published(self, bus: EventBus, publish_durably: PublishDurably) -> None:
        topic = new_topic()
        sent = await publish_durably([new_event(topic, n, tags=("t",), key=f"key-{n}") for n in range(5)])
        page = await bus.replay(topic, ReplayFilter())
        assert msgspec.to_builtins([_readable(event) for event in page.events]) == msgspec.to_builtins(
            [_readable(event) for event in sent]
        )
        assert page.next_seq is None

    async def test_replay_of_an_unknown_topic_is_empty(self, bus: EventBus) -> None:
        page = await bus.replay(new_topic(), ReplayFilter())
        assert page.events == ()
        assert page.next_seq is None

    async def test_an_event_published_again_is_replayed_once(self, bus: EventBus, publish_durably: PublishDurably) -> None:
        topic = new_topic()
        sent = await publish_durably(new_events(topic, 3))
        await bus.publish(sent)
        assert ids((await bus.replay(topic, ReplayFilter())).events) == ids(sent)

    async def test_replay_filters(self, bus: EventBus, publish_durably: PublishDurably) -> None:
        topic, start = new_topic(), datetime.now(UTC) - timedelta(seconds=60)
        a, b, c, d = await publish_durably(
            [
                new_event(topic, at=start, kind="alert", tags=("red",), agent_id="ag_1"),
                new_event(topic, at=start + timedelta(seconds=1), kind="alert", tags=("blue", "red"), agent_id="ag_2"),
                new_event(topic, at=start + timedelta(seconds=2), kind="custom", tags=("green",), agent_id="ag_1"),
                new_event(topic, at=start + timedelta(seconds=3), kind="question", agent_id="ag_3"),
            ]
        )
        for query, expected in (
            (ReplayFilter(kinds=("alert",)), [a, b]),
            (ReplayFilter(kinds=("alert", "question")), [a, b, d]),
            (ReplayFilter(tags=("blue", "green")), [b, c]),
            (ReplayFilter(agents=("ag_1", "ag_3")), [a, c, d]),
            (ReplayFilter(since=b.at, until=c.at), [b, c]),
            (ReplayFilter(kinds=("alert",), tags=("red",), agents=("ag_2",)), [b]),
            (ReplayFilter(kinds=("no such kind",)), []),
        ):
            assert ids((await bus.replay(topic, query)).events) == ids(expected), query

    async def test_replay_shows_a_viewer_only_what_it_may_see(self, bus: EventBus, publish_durably: PublishDurably) -> None:
        topic = new_topic()
        to_all, to_one, to_tag = await publish_durably(
            [
                new_event(topic, audience=FLEET),
                new_event(topic, audience=Audience(agents=("ag_1", "ag_2")), agent_id="ag_sender"),
                new_event(topic, audience=Audience(tags=("red",)), tags=("red",)),
            ]
        )
        for viewer, expected in (
            ("ag_1", [to_all, to_one, to_tag]),
            ("ag_sender", [to_all, to_one, to_tag]),
            ("ag_stranger", [to_all, to_tag]),
            (None, [to_all, to_one, to_tag]),
        ):
            assert ids((await bus.replay(topic, ReplayFilter(viewer=viewer))).events) == ids(expected), viewer

    async def test_replay_in_pages_sees_every_event_once(self, bus: EventBus, publish_durably: PublishDurably) -> None:
        topic = new_topic()
        sent = await publish_durably([new_event(topic, n, kind="custom" if n % 2 else "alert") for n in range(25)])
        seen: list[str] = []
        after: int | None = 0
        while after is not None:
            page = await bus.replay(topic, ReplayFilter(kinds=("custom",), after_seq=after, limit=4))
            assert len(page.events) <= 4
            seen += ids(page.events)
            after = page.next_seq
        assert seen == ids([event for event in sent if event.kind == "custom"])

    async def test_replay_of_the_newest(self, bus: EventBus, publish_durably: PublishDurably) -> None:
        topic = new_topic()
        sent = await publish_durably(new_events(topic, 20))
        page = await bus.replay(topic, ReplayFilter(newest=True, limit=5))
        assert ids(page.events) == ids(sent[-5:])

    async def test_trim_forgets_what_is_older(self, bus: EventBus, publish_durably: PublishDurably) -> None:
        topic, start = new_topic(), datetime.now(UTC) - timedelta(seconds=60)
        await bus.ensure_topic(topic, retention=timedelta(hours=1))
        other = Topic(topic.tenant_id, topic.fleet_id, "memory")
        sent = await publish_durably([new_event(topic, at=start + timedelta(seconds=n)) for n in range(10)])
        kept = await publish_durably([new_event(other, at=start)])
        assert await bus.trim(topic, before=sent[6].at) == 6
        assert ids((await bus.replay(topic, ReplayFilter())).events) == ids(sent[6:])
        assert ids((await bus.replay(other, ReplayFilter())).events) == ids(kept)
        assert await bus.trim(new_topic(), before=datetime.now(UTC)) == 0

    async def test_a_dropped_topic_is_empty(self, bus: EventBus, publish_durably: PublishDurably) -> None:
        topic = new_topic()
        other = Topic(topic.tenant_id, topic.fleet_id, "memory")
        for name in (topic, other):
            await bus.ensure_topic(name, retention=timedelta(hours=1))
        await publish_durably(new_events(topic, 3))
        kept = await publish_durably(new_events(other, 3))
        await bus.drop_topic(topic)
        await bus.drop_topic(topic)
        assert (await bus.replay(topic, ReplayFilter())).events == ()
        assert ids((await bus.replay(other, ReplayFilter())).events) == ids(kept)

    async def test_a_topic_is_ensured_again_with_another_retention(
        self, bus: EventBus, publish_durably: PublishDurably
    ) -> None:
        topic = new_topic()
        await bus.ensure_topic(topic, retention=timedelta(hours=1), partitions=3)
        sent = await publish_durably(new_events(topic, 3))
        await bus.ensure_topic(topic, retention=timedelta(hours=2), partitions=6)
        assert ids((await bus.replay(topic, ReplayFilter())).events) == ids(sent)

    async def test_tenants_and_fleets_are_apart(self, bus: EventBus, publish_durably: PublishDurably) -> None:
        mine, theirs = new_topic(), new_topic()
        sent = await publish_durably(new_events(mine, 3))
        await publish_durably(new_events(theirs, 3))
        assert ids((await bus.replay(mine, ReplayFilter())).events) == ids(sent)
        claimed = Topic(theirs.tenant_id, mine.fleet_id, "activity")
        assert (await bus.replay(claimed, ReplayFilter())).events == ()
        assert await bus.trim(claimed, before=datetime.now(UTC) + timedelta(seconds=1)) == 0
        assert ids((await bus.replay(mine, ReplayFilter())).events) == ids(sent)


def _readable(event: Event) -> dict[str, Any]:
    """All that an event carries, its body as an object."""
    fields = msgspec.structs.asdict(event)
    return {**fields, "body": msgspec.json.decode(event.body)}
