"""What only the Kafka bus promises: a queue with an end, topics laid out as told, new fleets seen soon, public records."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from ringforge_eventbus_kafka import KafkaEventBus, KafkaEventBusSettings

from ringforge_core.errors import Backpressure, Unavailable
from ringforge_core.plugin import AdapterContext
from ringforge_core.ports.event_bus import Audience, Event, Handler, ReplayFilter, Topic
from ringforge_core.testkit.event_bus import Collector, ids, new_event, new_events, new_topic
from ringforge_core.testkit.kafka import KafkaBroker, OwnKafkaBroker

SECONDS = 10.0

Running = Callable[..., AbstractAsyncContextManager[KafkaEventBus]]


@pytest.fixture
def running(kafka: KafkaBroker, tmp_path: Path) -> Running:
    """A started bus with these settings."""

    @asynccontextmanager
    async def running(**settings: Any) -> AsyncIterator[KafkaEventBus]:
        given = KafkaEventBusSettings(**{"bootstrap_servers": (kafka.address,), **settings})
        bus = KafkaEventBus(given, AdapterContext(data_directory=tmp_path, store=None, node="test"))
        await bus.start()
        try:
            yield bus
        finally:
            await bus.stop()

    return running


def numbered(events: list[Event], first: int = 1) -> list[Event]:
    return [msgspec.structs.replace(event, epoch="e", seq=seq) for seq, event in enumerate(events, first)]


async def topic_config(kafka: KafkaBroker, topic: Topic) -> dict[str, str]:
    """What Kafka has for the topic, and its number of partitions."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.address)
    await admin.start()
    try:
        async with asyncio.timeout(SECONDS):  # the broker hears of a new topic a moment after it was made
            while str(topic) not in await admin.list_topics():  # noqa: ASYNC110 — and tells nobody of it
                await asyncio.sleep(0.05)
        (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, str(topic))])
        (described,) = await admin.describe_topics([str(topic)])
        entries = {entry[0]: entry[1] for entry in answer.resources[0][4]}
        return entries | {"partitions": str(len(described["partitions"]))}
    finally:
        await admin.close()


async def test_a_topic_is_laid_out_as_told_and_its_retention_follows_the_plan(running: Running, kafka: KafkaBroker) -> None:
    activity, memory = new_topic(), new_topic("memory")
    async with running() as bus:
        await bus.ensure_topic(activity, retention=timedelta(days=7), partitions=6)
        await bus.ensure_topic(memory, retention=timedelta(days=7), partitions=3, compacted=True)
        laid_out = await topic_config(kafka, activity)
        assert laid_out["partitions"] == "6"
        assert laid_out["cleanup.policy"] == "delete"
        assert laid_out["retention.ms"] == str(7 * 86_400_000)
        assert "compact" in (await topic_config(kafka, memory))["cleanup.policy"]
        await bus.ensure_topic(activity, retention=timedelta(days=90), partitions=12)
        changed = await topic_config(kafka, activity)
        assert changed["retention.ms"] == str(90 * 86_400_000)
        assert changed["partitions"] == "6"


async def test_what_an_operator_set_on_a_topic_stays(running: Running, kafka: KafkaBroker) -> None:
    topic = new_topic()
    async with running() as bus:
        await bus.ensure_topic(topic, retention=timedelta(days=7))
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.address)
        await admin.start()
        mine = {"min.cleanable.dirty.ratio": "0.3", "retention.ms": "1000"}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, str(topic), configs=mine)])
        await admin.close()
        await bus.ensure_topic(topic, retention=timedelta(days=1))
        config = await topic_config(kafka, topic)
    assert config["retention.ms"] == "86400000"
    assert config["min.cleanable.dirty.ratio"] == "0.3"


async def test_a_fleet_that_another_node_founded_is_seen_within_seconds_from_its_first_event(running: Running) -> None:
    topic = new_topic()
    collector = Collector(topic)
    async with running() as here, running() as there:
        await here.subscribe(collector)
        sent = numbered(new_events(topic, 5))
        await there.publish(sent)
        assert await collector.wait_for(5, seconds=3) == ids(sent)


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


@pytest.fixture
def own_kafka(kafka: KafkaBroker) -> OwnKafkaBroker:
    if not isinstance(kafka, OwnKafkaBroker):
        pytest.skip("RINGFORGE_TEST_KAFKA names a broker that is not the test's to stop")
    return kafka


@asynccontextmanager
async def away(broker: OwnKafkaBroker) -> AsyncIterator[None]:
    await broker.stop()
    try:
        yield
    finally:
        await broker.start()


async def test_a_full_queue_pushes_back_and_keeps_what_it_took(running: Running, own_kafka: OwnKafkaBroker) -> None:
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
        records = await raw_records(own_kafka, topic)
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


async def raw_records(kafka: KafkaBroker, topic: Topic) -> list[Any]:
    """All records of the topic, as any consumer of Kafka sees them."""
    async with AIOKafkaConsumer(
        str(topic), bootstrap_servers=kafka.address, auto_offset_reset="earliest", enable_auto_commit=False
    ) as consumer:
        ends = await consumer.end_offsets(consumer.assignment())
        records: list[Any] = []
        async with asyncio.timeout(SECONDS):
            while len(records) < sum(ends.values()):
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    records += batch
        return records


async def test_a_record_is_what_the_documentation_says(running: Running, kafka: KafkaBroker) -> None:
    topic, at = new_topic(), datetime(2026, 11, 22, 12, 30, 15, 123456, tzinfo=UTC)
    event = msgspec.structs.replace(
        new_event(topic, 7, at=at, key="ag_ö", kind="alert", tags=("a",), audience=Audience(agents=("ag_1",))),
        epoch="e-1", seq=42,
    )  # fmt: skip
    async with running() as bus:
        await bus.ensure_topic(topic, retention=timedelta(days=3650))
        await bus.publish([event])
        (record,) = await raw_records(kafka, topic)
    assert record.topic == f"ringforge.{topic.fleet_id}.activity"
    assert record.key == "ag_ö".encode()
    assert record.timestamp == int(at.timestamp() * 1000)
    assert dict(record.headers) == {
        "event_id": event.event_id.encode(), "tenant_id": topic.tenant_id.encode(), "epoch": b"e-1", "seq": b"42",
    }  # fmt: skip
    assert json.loads(record.value) == {
        "event_id": event.event_id,
        "tenant_id": topic.tenant_id,
        "fleet_id": topic.fleet_id,
        "topic": "activity",
        "push": "activity:broadcast",
        "body": {"type": "activity", "event": "broadcast", "payload": {"number": 7}},
        "at": "2026-11-22T12:30:15.123456Z",
        "key": "ag_ö",
        "kind": "alert",
        "agent_id": "ag_sender",
        "tags": ["a"],
        "audience": {"agents": ["ag_1"]},
        "epoch": "e-1",
        "seq": 42,
    }


async def test_a_broker_that_is_not_there_is_told_at_the_start(tmp_path: Path) -> None:
    settings = KafkaEventBusSettings(bootstrap_servers=("127.0.0.1:1",), publish_seconds=2)
    bus = KafkaEventBus(settings, AdapterContext(data_directory=tmp_path, store=None, node="test"))
    with pytest.raises(Unavailable) as refusal:
        await bus.start()
    assert "bootstrap_servers" in refusal.value.fix
    await bus.stop()
