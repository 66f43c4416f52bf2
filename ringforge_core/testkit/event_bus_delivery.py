"""The contract's room about deliveries: who gets which events, in which order, and what a handler may do."""

# ruff: noqa: S101 — asserts are what a test suite is made of

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ringforge_core.ports.event_bus import Audience, Event, EventBus, Topic
from ringforge_core.testkit.event_bus_base import BusContract
from ringforge_core.testkit.event_bus_events import (
    Collector,
    PublishDurably,
    ids,
    new_event,
    new_events,
    new_topic,
    readable,
)


class DeliveryContract(BusContract):
    async def test_events_of_a_fleet_arrive_in_order(self, bus: EventBus, publish_durably: PublishDurably) -> None:
        topic = new_topic()
        collector = Collector(topic)
        await bus.subscribe(collector)
        sent = []
        for start in range(0, 200, 20):
            events = [new_event(topic, start + n, key=f"key-{n % 3}") for n in range(20)]
            sent += await publish_durably(events)
        self.assert_in_order(await collector.wait_for(200, seconds=self.seconds), sent)

    async def test_events_arrive_as_they_were_published(self, bus: EventBus, publish_durably: PublishDurably) -> None:
        topic = new_topic()
        collector = Collector(topic)
        await bus.subscribe(collector)
        event = new_event(topic, kind="alert", tags=("a", "b"), audience=Audience(agents=("ag_1",)), key="k")
        (sent,) = await publish_durably([event])
        await collector.wait_for(1, seconds=self.seconds)
        assert readable(collector.events[0]) == readable(sent)

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
        arrived = await collector.wait_for(10, seconds=self.seconds)
        assert arrived == [event.event_id for event in sent if event.topic == "memory"]

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

    async def test_a_handler_may_cancel_its_own_subscription(self, bus: EventBus, publish_durably: PublishDurably) -> None:
        topic, calls, called = new_topic(), 0, asyncio.Event()
        other = Collector(topic)

        async def once(events: Sequence[Event]) -> None:
            nonlocal calls
            calls += any(event.fleet_id == topic.fleet_id for event in events)
            await subscription.cancel()
            called.set()

        subscription = await bus.subscribe(once)
        await bus.subscribe(other)
        for _ in range(3):
            await publish_durably(new_events(topic, 1))
        await other.wait_for(3, seconds=self.seconds)
        await asyncio.wait_for(called.wait(), self.seconds)
        await subscription.cancel()
        assert calls == 1

    async def test_the_load_falls_to_nothing_when_all_is_handled(
        self, bus: EventBus, publish_durably: PublishDurably
    ) -> None:
        topic, release = new_topic(), asyncio.Event()
        collector = Collector(topic)

        async def block(events: Sequence[Event]) -> None:
            await release.wait()
            await collector(events)

        await bus.subscribe(block)
        await publish_durably(new_events(topic, 1))
        await publish_durably(new_events(topic, 20))
        async with asyncio.timeout(self.seconds):
            while bus.load().lag < 20:  # noqa: ASYNC110 — a bus tells nobody of its load
                await asyncio.sleep(0.01)
        release.set()
        await collector.wait_for(21, seconds=self.seconds)
        async with asyncio.timeout(self.seconds):
            while (load := bus.load()).lag or load.queued:  # noqa: ASYNC110 — as above
                await asyncio.sleep(0.01)
