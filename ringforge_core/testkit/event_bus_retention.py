"""The contract's room about forgetting: on command, by age, and what a newer event of the same key replaced."""

# ruff: noqa: S101 — asserts are what a test suite is made of

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from ringforge_core.ports.event_bus import EventBus, ReplayFilter, Topic
from ringforge_core.testkit.event_bus_base import BusContract
from ringforge_core.testkit.event_bus_events import PublishDurably, ids, new_event, new_events, new_topic


class RetentionContract(BusContract):
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

    async def test_what_is_too_old_goes_by_itself(self, bus: EventBus, publish_durably: PublishDurably) -> None:
        topic = new_topic()
        await bus.ensure_topic(topic, retention=timedelta(seconds=2))
        old = await publish_durably(new_events(topic, 5))
        async with asyncio.timeout(3 * self.seconds):
            while set(ids(old)) & set(ids((await bus.replay(topic, ReplayFilter())).events)):
                await publish_durably(new_events(topic, 1))
                await asyncio.sleep(0.2)
        async with asyncio.timeout(
            3 * self.seconds
        ):  # on a busy machine a fresh event may be too old before it is asked for
            (fresh,) = await publish_durably(new_events(topic, 1))
            while fresh.event_id not in ids((await bus.replay(topic, ReplayFilter(newest=True))).events):
                (fresh,) = await publish_durably(new_events(topic, 1))

    async def test_a_longer_retention_keeps_what_the_shorter_would_have_forgotten(
        self, bus: EventBus, publish_durably: PublishDurably
    ) -> None:
        changed, unchanged, at = new_topic(), new_topic(), datetime.now(UTC) - timedelta(hours=2)
        for topic in (changed, unchanged):
            await bus.ensure_topic(topic, retention=timedelta(hours=3))
        kept = await publish_durably(new_events(changed, 3, at=at))
        await publish_durably(new_events(unchanged, 3, at=at))
        await bus.ensure_topic(changed, retention=timedelta(hours=4))
        for topic in (changed, unchanged):
            await bus.ensure_topic(topic, retention=timedelta(hours=4 if topic is changed else 1))
        async with asyncio.timeout(3 * self.seconds):
            while (await bus.replay(unchanged, ReplayFilter())).events:  # noqa: ASYNC110 — a bus tells nobody of it
                await asyncio.sleep(0.1)
        assert ids((await bus.replay(changed, ReplayFilter())).events) == ids(kept)

    async def test_a_compacted_topic_keeps_the_newest_event_of_each_key(
        self, bus: EventBus, publish_durably: PublishDurably
    ) -> None:
        topic = new_topic("memory")
        await bus.ensure_topic(topic, retention=timedelta(hours=1), compacted=True)
        replaced = await publish_durably(new_events(topic, 10, key="colour"))
        newest = await publish_durably([new_event(topic, key="colour"), new_event(topic, key="shape")])

        async def there() -> set[str]:
            return set(ids((await bus.replay(topic, ReplayFilter(limit=1000))).events))

        if not self.compacts:
            assert await there() == set(ids([*replaced, *newest]))
            return
        async with asyncio.timeout(3 * self.seconds):
            while await there() & set(ids(replaced)):
                await publish_durably([new_event(topic, key="size")])  # a broker compacts what lies behind the newest
                await asyncio.sleep(0.3)
        assert set(ids(newest)) <= await there()
