"""Topics in Kafka: laid out as told, seen by every node soon, and filled with records that are a public contract."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from ringforge_eventbus_kafka import KafkaEventBus

from ringforge_core.ports.event_bus import Audience, ReplayFilter, Topic
from ringforge_core.testkit.event_bus import Collector, ids, new_event, new_events, new_topic, numbered
from ringforge_core.testkit.kafka import KafkaBroker

SECONDS = 10.0

Running = Callable[..., AbstractAsyncContextManager[KafkaEventBus]]
RawRecords = Callable[[Topic], Awaitable[list[Any]]]


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


async def test_d106_a_topic_is_laid_out_as_told_and_its_retention_follows_the_plan(
    running: Running, kafka: KafkaBroker
) -> None:
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


async def test_a_topic_without_events_is_dropped_too_but_never_another_tenants(running: Running) -> None:
    empty, full = new_topic(), new_topic()
    async with running() as bus:
        for topic in (empty, full):
            await bus.ensure_topic(topic, retention=timedelta(days=7))
        await bus.publish(numbered(new_events(full, 1)))
        await bus.drop_topic(empty)
        await bus.drop_topic(Topic("another tenant", full.fleet_id, full.name))
        assert len((await bus.replay(full, ReplayFilter())).events) == 1
        await bus.ensure_topic(empty, retention=timedelta(days=7), partitions=2)  # made anew, so it was gone
        await bus.publish(numbered(new_events(empty, 1)))
        assert len((await bus.replay(empty, ReplayFilter())).events) == 1


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


async def test_a_record_is_what_the_documentation_says(running: Running, raw_records: RawRecords) -> None:
    topic, at = new_topic(), datetime(2026, 11, 22, 12, 30, 15, 123456, tzinfo=UTC)
    event = msgspec.structs.replace(
        new_event(topic, 7, at=at, key="ag_ö", kind="alert", tags=("a",), audience=Audience(agents=("ag_1",))),
        epoch="e-1", seq=42,
    )  # fmt: skip
    async with running() as bus:
        await bus.ensure_topic(topic, retention=timedelta(days=3650))
        await bus.publish([event])
        (record,) = await raw_records(topic)
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
