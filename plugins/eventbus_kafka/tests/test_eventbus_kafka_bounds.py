"""What the Kafka bus does at its bounds: a full queue, large calls and events, and no broker at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ringforge_eventbus_kafka import KafkaEventBus, KafkaEventBusSettings

from ringforge_core.errors import Backpressure, Unavailable
from ringforge_core.plugin import AdapterContext
from ringforge_core.ports.event_bus import ReplayFilter, Topic
from ringforge_core.testkit.event_bus import Collector, ids, new_event, new_events, new_topic, numbered
from ringforge_core.testkit.kafka import OwnKafkaBroker

SECONDS = 10.0

Running = Callable[..., AbstractAsyncContextManager[KafkaEventBus]]
RawRecords = Callable[[Topic], Awaitable[list[Any]]]


@asynccontextmanager
async def away(broker: OwnKafkaBroker) -> AsyncIterator[None]:
    await broker.stop()
    try:
        yield
    finally:
        await broker.start()


async def test_d106_a_full_queue_pushes_back_and_keeps_what_it_took(
    running: Running, own_kafka: OwnKafkaBroker, raw_records: RawRecords
) -> None:
    topic = new_topic()
    async with running(queue_size=100, publish_seconds=1) as bus:
        before = numbered(new_events(topic, 1))
        await bus.publish(before)
        taken, refused = numbered(new_events(topic, 100), 2), numbered(new_events(topic, 1), 102)
        async with away(own_kafka):
            with pytest.raises(Unavailable):
                await bus.publish(taken)
            assert bus.load().queued == 100
            for _ in range(3):
                with pytest.raises(Backpressure):
                    await bus.publish(refused)
            assert bus.load().refused == 3
            assert bus.load().queued == 100
        async with asyncio.timeout(6 * SECONDS):
            while True:  # as the relay does: the same events again, until the bus has them
                try:
                    await bus.publish(taken)
                    break
                except Unavailable:
                    await asyncio.sleep(0.1)
        await bus.publish(refused)
        assert ids((await bus.replay(topic, ReplayFilter(limit=1000))).events) == ids([*before, *taken, *refused])
        records = await raw_records(topic)
        assert len(records) == 102, "an event that was published again meanwhile is in the log twice"


async def test_a_call_that_is_larger_than_the_queue_goes_in_slices(running: Running) -> None:
    topic = new_topic()
    async with running(queue_size=10) as bus:
        sent = numbered(new_events(topic, 95))
        await bus.publish(sent)
        assert ids((await bus.replay(topic, ReplayFilter(limit=1000))).events) == ids(sent)


async def test_an_event_that_kafka_will_never_take_holds_nobody(running: Running) -> None:
    topic = new_topic()
    async with running(max_event_bytes=10_000) as bus:
        large = msgspec.Raw(msgspec.json.encode("x" * 20_000))
        first, last = new_event(topic), new_event(topic)
        await bus.publish(numbered([first, new_event(topic, body=large), last]))
        assert ids((await bus.replay(topic, ReplayFilter())).events) == ids([first, last])


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
async def test_every_compression_is_written_and_read(running: Running, compression: str) -> None:
    topic = new_topic()
    async with running(compression=compression) as bus:
        sent = numbered(new_events(topic, 50))
        await bus.publish(sent)
        assert ids((await bus.replay(topic, ReplayFilter())).events) == ids(sent)


async def test_a_subscription_without_a_broker_says_so_and_leaves_nothing(
    running: Running, own_kafka: OwnKafkaBroker
) -> None:
    topic = new_topic()
    collector = Collector(topic)
    async with running(publish_seconds=1) as bus:
        await bus.ensure_topic(topic, retention=timedelta(hours=1))
        async with away(own_kafka):
            for group in (None, "workers"):
                with pytest.raises(Unavailable):
                    await bus.subscribe(collector, group=group)
            assert bus.load().lag == 0
        async with asyncio.timeout(SECONDS):
            while True:  # a broker that is just back may still be slow
                with suppress(Unavailable):
                    await bus.subscribe(collector)
                    break
        sent = numbered(new_events(topic, 1))
        await bus.publish(sent)
        assert await collector.wait_for(1, seconds=SECONDS) == ids(sent)


async def test_a_broker_that_is_away_does_not_fill_the_log(
    running: Running, own_kafka: OwnKafkaBroker, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(publish_seconds=1) as bus:
        await bus.subscribe(Collector(new_topic()))
        async with away(own_kafka):
            for _ in range(2):
                with pytest.raises(Unavailable):
                    await bus.publish(numbered(new_events(new_topic(), 1)))
            assert len([record for record in caplog.records if record.name.startswith("aiokafka")]) < 10


async def test_a_bus_that_was_stopped_takes_nothing(running: Running) -> None:
    async with running() as bus:
        await bus.stop()
        with pytest.raises(Unavailable):
            await bus.publish(numbered(new_events(new_topic(), 1)))


async def test_a_broker_that_is_not_there_is_told_at_the_start(tmp_path: Path) -> None:
    settings = KafkaEventBusSettings(bootstrap_servers=("127.0.0.1:1",), publish_seconds=2)
    bus = KafkaEventBus(settings, AdapterContext(data_directory=tmp_path, store=None, node="test"))
    with pytest.raises(Unavailable) as refusal:
        await bus.start()
    assert "bootstrap_servers" in refusal.value.fix
    await bus.stop()
