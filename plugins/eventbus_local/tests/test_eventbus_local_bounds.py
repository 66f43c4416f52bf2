"""What only the local bus promises: old events go by themselves, and neither memory nor a stop is without bounds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ringforge_eventbus_local import LocalEventBus, LocalEventBusSettings

from ringforge_core.plugin import AdapterContext
from ringforge_core.ports.event_bus import Event, ReplayFilter
from ringforge_core.ports.store import Store
from ringforge_core.testkit.event_bus import Collector, PublishDurably, ids, new_event, new_events, new_topic

SECONDS = 10.0

Running = Callable[..., Any]


@pytest.fixture
def running(store: Store, tmp_path: Path) -> Running:
    """A started bus with these settings, as a context manager."""

    @asynccontextmanager
    async def running(**settings: Any) -> AsyncIterator[LocalEventBus]:
        context = AdapterContext(data_directory=tmp_path, store=store, node="test")
        bus = LocalEventBus(LocalEventBusSettings(**settings), context)
        await bus.start()
        try:
            yield bus
        finally:
            await bus.stop()

    return running


async def replayed(bus: LocalEventBus, topic: Any, count: int) -> list[str]:
    """The ids in the topic once there are only `count` of them."""
    async with asyncio.timeout(SECONDS):
        while len(events := (await bus.replay(topic, ReplayFilter())).events) > count:  # noqa: ASYNC110 — a bus tells nobody of a trim
            await asyncio.sleep(0.01)
    return ids(events)


async def test_each_topic_is_kept_for_its_own_time(running: Running, commit: PublishDurably) -> None:
    long, short, at = new_topic(), new_topic(), datetime.now(UTC) - timedelta(hours=3)
    async with running(trim_seconds=0.02) as bus:
        await bus.ensure_topic(long, retention=timedelta(hours=4))
        await bus.ensure_topic(short, retention=timedelta(hours=2))
        kept = await commit(new_events(long, 2, at=at))
        await bus.publish(kept)
        fresh = new_event(short)
        await bus.publish(await commit([*new_events(short, 2, at=at), fresh]))
        assert await replayed(bus, short, 1) == [fresh.event_id]
        assert await replayed(bus, long, 2) == ids(kept)
        await bus.ensure_topic(long, retention=timedelta(hours=2))
        assert await replayed(bus, long, 0) == []


async def test_a_handler_that_never_ends_cannot_hold_a_stop(running: Running, commit: PublishDurably) -> None:
    topic, reached = new_topic(), asyncio.Event()

    async def hang(events: Sequence[Event]) -> None:
        reached.set()
        await asyncio.Event().wait()

    async with running(flush_seconds=0.05) as bus:
        await bus.subscribe(hang)
        await bus.publish(await commit(new_events(topic, 1)))
        await asyncio.wait_for(reached.wait(), SECONDS)
        begun = time.monotonic()
        await bus.stop()
        assert time.monotonic() - begun < SECONDS / 2


async def test_what_overflowed_while_a_subscriber_hung_comes_once_and_in_order(
    running: Running, commit: PublishDurably
) -> None:
    topic, release = new_topic(), asyncio.Event()
    collector = Collector(topic)

    async def hang_until_released(events: Sequence[Event]) -> None:
        await release.wait()
        await collector(events)

    async with running(queue_size=10) as bus:
        await bus.subscribe(hang_until_released)
        sent = await commit(new_events(topic, 1))
        await bus.publish(sent)
        for _ in range(30):
            more = await commit(new_events(topic, 10))
            await bus.publish(more)
            sent += more
        release.set()
        assert await collector.wait_for(301, seconds=SECONDS) == ids(sent)
        assert len(collector.events) == 301, "an event was delivered twice"


async def test_what_is_committed_but_not_published_yet_comes_once_too(running: Running, commit: PublishDurably) -> None:
    topic, release = new_topic(), asyncio.Event()
    collector = Collector(topic)

    async def hang_until_released(events: Sequence[Event]) -> None:
        await release.wait()
        await collector(events)

    async with running(queue_size=1) as bus:
        await bus.subscribe(hang_until_released)
        published = await commit(new_events(topic, 5))
        await bus.publish(published)
        not_yet = await commit(new_events(topic, 5))
        release.set()
        assert await collector.wait_for(5, seconds=SECONDS) == ids(published)
        await bus.publish(not_yet)
        assert await collector.wait_for(10, seconds=SECONDS) == ids([*published, *not_yet])
        assert len(collector.events) == 10, "an event was delivered twice"


async def test_what_a_cancelled_subscription_did_not_take_holds_nobody(running: Running, commit: PublishDurably) -> None:
    topic = new_topic()
    async with running(flush_seconds=60) as bus:
        gone = await bus.subscribe(Collector(topic))
        await gone.cancel()
        await bus.publish(await commit(new_events(topic, 3)))
        await asyncio.wait_for(bus.stop(), SECONDS)
