"""Kafka's consumer groups: they go on where they were, and no event is in two members' hands."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

from ringforge_eventbus_kafka import KafkaEventBus

from ringforge_core.ports.event_bus import Event, Handler
from ringforge_core.testkit.event_bus import Collector, ids, new_event, new_events, new_topic, numbered

SECONDS = 10.0

Running = Callable[..., AbstractAsyncContextManager[KafkaEventBus]]


async def test_a_group_goes_on_where_it_was_when_a_hub_comes_back(running: Running) -> None:
    topic = new_topic()
    done, again = Collector(topic), Collector(topic)
    async with running() as bus:
        await bus.ensure_topic(topic, retention=timedelta(hours=1))
        await bus.subscribe(done, group=f"workers-{topic.fleet_id}")
        sent = numbered(new_events(topic, 6))
        await bus.publish(sent[:3])
        assert await done.wait_for(3, seconds=SECONDS) == ids(sent[:3])
    async with running() as bus:
        await bus.publish(sent[3:])
        await bus.subscribe(again, group=f"workers-{topic.fleet_id}")
        assert await again.wait_for(3, seconds=SECONDS) == ids(sent[3:])


async def shared_by_two(
    bus: KafkaEventBus, first: Handler, second: Handler, busy: asyncio.Event, on_join: Callable[[], None]
) -> None:
    """Publish events of many keys to a group of one; when that one is busy with them, another member joins."""
    topic = new_topic()
    group = f"workers-{topic.fleet_id}"
    await bus.ensure_topic(topic, retention=timedelta(hours=1), partitions=6)
    await bus.subscribe(first, group=group, topics=["activity"])
    await bus.publish(numbered([new_event(topic, key=f"key-{n}") for n in range(24)]))
    await asyncio.wait_for(busy.wait(), SECONDS)
    await bus.subscribe(second, group=group, topics=["activity"])
    on_join()


async def test_a_member_ends_its_call_before_its_events_go_to_another(running: Running) -> None:
    busy, handled = asyncio.Event(), Counter[str]()

    async def slow(events: Sequence[Event]) -> None:
        busy.set()
        await asyncio.sleep(1)
        handled.update(ids(events))

    async def quick(events: Sequence[Event]) -> None:
        handled.update(ids(events))

    async with running() as bus:
        await shared_by_two(bus, slow, quick, busy, lambda: None)
        await until(lambda: len(handled) == 24 and bus.load().lag == 0)
    assert set(handled.values()) == {1}


async def test_a_member_lets_go_of_what_it_could_not_handle_when_another_joins(running: Running) -> None:
    failing, joined, handled = asyncio.Event(), asyncio.Event(), Counter[str]()

    async def fails_until_another_joined(events: Sequence[Event]) -> None:
        if not joined.is_set():
            failing.set()
            raise RuntimeError("this member waits for help, as this test wants")
        handled.update(ids(events))

    async def quick(events: Sequence[Event]) -> None:
        handled.update(ids(events))

    async with running() as bus:
        await shared_by_two(bus, fails_until_another_joined, quick, failing, joined.set)
        await until(lambda: len(handled) == 24)
    assert set(handled.values()) == {1}


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(2 * SECONDS):
        while not holds():  # noqa: ASYNC110 — nobody tells of the bus's load
            await asyncio.sleep(0.02)
