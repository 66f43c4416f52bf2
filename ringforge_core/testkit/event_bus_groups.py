"""The contract's room about groups: workers share the events, and somebody handles each of them whatever happens."""

# ruff: noqa: S101 — asserts are what a test suite is made of

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

from ringforge_core.ports.event_bus import Event, EventBus, Handler
from ringforge_core.testkit.event_bus_base import BusContract, BusPlugin
from ringforge_core.testkit.event_bus_events import Collector, PublishDurably, ids, new_event, new_events, new_topic
from ringforge_core.testkit.event_bus_member import hanging_member


class GroupContract(BusContract):
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

    async def test_a_new_group_begins_now(self, bus: EventBus, publish_durably: PublishDurably) -> None:
        topic = new_topic()
        before, collector = Collector(topic), Collector(topic)
        await bus.subscribe(before)
        await publish_durably(new_events(topic, 3))
        await before.wait_for(3, seconds=self.seconds)
        await bus.subscribe(collector, group=f"workers-{uuid4()}")
        sent = await publish_durably(new_events(topic, 3))
        assert await collector.wait_for(3, seconds=self.seconds) == ids(sent)

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

    async def test_events_that_a_member_fails_to_handle_go_to_the_others_when_it_leaves(
        self, bus: EventBus, publish_durably: PublishDurably
    ) -> None:
        topic, group, failing = new_topic(), f"workers-{uuid4()}", asyncio.Event()
        await bus.ensure_topic(topic, retention=timedelta(hours=1))
        collector = Collector(topic)

        async def fail(events: Sequence[Event]) -> None:
            failing.set()
            raise RuntimeError("this member cannot handle anything, as this test wants")

        first = await bus.subscribe(fail, group=group)
        sent = await publish_durably(new_events(topic, 3))
        await asyncio.wait_for(failing.wait(), self.seconds)
        await bus.subscribe(collector, group=group)
        await first.cancel()
        assert await collector.wait_for(3, seconds=self.seconds) == ids(sent)

    async def test_members_come_and_go_and_every_event_is_handled(
        self, bus: EventBus, publish_durably: PublishDurably
    ) -> None:
        """A rebalance under load: nothing is lost, and the events of a key stay in order."""
        topic, group = new_topic(), f"workers-{uuid4()}"
        await bus.ensure_topic(topic, retention=timedelta(hours=1), partitions=6)
        together, sent = Collector(topic), []
        handled_by: dict[str, set[str]] = {"first": set(), "second": set()}

        def member(name: str) -> Handler:
            async def handle(events: Sequence[Event]) -> None:
                await asyncio.sleep(0.001)
                handled_by[name] |= set(ids(events))
                await together(events)

            return handle

        async def load() -> None:
            while True:
                sent.extend(await publish_durably([new_event(topic, key=f"key-{n}") for n in range(12)]))
                await asyncio.sleep(0.02)

        first = await bus.subscribe(member("first"), group=group)
        loading = asyncio.create_task(load())
        await together.wait_for(100, seconds=self.seconds)
        await bus.subscribe(member("second"), group=group)
        async with asyncio.timeout(self.seconds):
            while len(handled_by["second"]) < 100:  # noqa: ASYNC110 — the second member's handler tells nobody else
                await asyncio.sleep(0.02)
        await first.cancel()
        gone_at = len(handled_by["first"])
        await together.wait_for(len(sent) + 100, seconds=self.seconds)
        loading.cancel()
        await asyncio.wait([loading])
        arrived = await together.wait_for(len(sent), seconds=self.seconds)
        assert len(handled_by["first"]) == gone_at
        for key in {event.key for event in sent}:
            of_key = {event.event_id for event in sent if event.key == key}
            assert [one for one in arrived if one in of_key] == [event.event_id for event in sent if event.key == key]

    async def test_the_others_take_over_from_a_member_that_crashed(
        self, bus: EventBus, bus_plugin: BusPlugin, publish_durably: PublishDurably
    ) -> None:
        """A process that took events dies of `kill -9` before it has handled them."""
        topic, group = new_topic(), f"workers-{uuid4()}"
        await bus.ensure_topic(topic, retention=timedelta(hours=1), partitions=4)
        survivor = Collector(topic)
        async with hanging_member(bus_plugin, group, topic) as doomed:
            await bus.subscribe(survivor, group=group)
            sent = await publish_durably([new_event(topic, key=f"key-{n % 16}") for n in range(64)])
            held = await doomed.holds(seconds=3 * self.seconds)
            assert held <= set(ids(sent))
            assert not held & set(survivor.ids)
            doomed.kill()
            assert sorted(await survivor.wait_for(64, seconds=3 * self.seconds)) == sorted(ids(sent))
