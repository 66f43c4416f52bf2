"""What only the Pulsar bus promises: a queue with an end, topics laid out as told, fleets of other hubs seen soon."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest

from ringforge_core.errors import Backpressure, LimitReached, Unavailable
from ringforge_core.ports.event_bus import Event, ReplayFilter, Topic
from ringforge_core.testkit.event_bus import Collector, ids, new_event, new_events, new_topic
from ringforge_core.testkit.pulsar import PulsarServer

SECONDS = 10.0


def numbered(events: list[Event], first: int = 1) -> list[Event]:
    return [msgspec.structs.replace(event, epoch="e", seq=seq) for seq, event in enumerate(events, first)]


async def ask(pulsar: PulsarServer, path: str) -> Any:
    async with httpx.AsyncClient(base_url=f"{pulsar.admin_url}/admin/v2/") as client:
        answer = await client.get(path)
        return answer.raise_for_status().json()


def path_of(topic: Topic, namespace: str) -> str:
    return f"persistent/ringforge/{namespace}/ringforge-{topic.fleet_id}-{topic.name}"


async def test_a_topic_is_laid_out_as_told_and_its_retention_follows_the_plan(running, pulsar, namespace: str) -> None:
    activity, memory = new_topic(), new_topic("memory")
    async with running(compaction_bytes=1000) as bus:
        await bus.ensure_topic(activity, retention=timedelta(days=7), partitions=6)
        await bus.ensure_topic(memory, retention=timedelta(days=7), partitions=3, compacted=True)
        path = path_of(activity, namespace)
        assert (await ask(pulsar, f"{path}/partitions"))["partitions"] == 6
        assert await ask(pulsar, f"{path}/retention") == {"retentionTimeInMinutes": 7 * 1440, "retentionSizeInMB": -1}
        assert await ask(pulsar, f"{path}/messageTTL") == 7 * 86_400
        assert await ask(pulsar, f"{path_of(memory, namespace)}/compactionThreshold") == 1000
        await bus.ensure_topic(activity, retention=timedelta(days=90), partitions=12)
        assert (await ask(pulsar, f"{path}/retention"))["retentionTimeInMinutes"] == 90 * 1440
        assert (await ask(pulsar, f"{path}/partitions"))["partitions"] == 6


async def test_the_namespace_holds_no_backlog_for_ever_and_makes_no_topics_by_itself(running, pulsar, namespace) -> None:
    async with running(backlog_megabytes=3):
        policies = await ask(pulsar, f"namespaces/ringforge/{namespace}")
    quota = policies["backlog_quota_map"]["destination_storage"]
    assert (quota["limitSize"], quota["policy"]) == (3 << 20, "consumer_backlog_eviction")
    assert policies["autoTopicCreationOverride"]["allowAutoTopicCreation"] is False
    assert policies["retention_policies"]["retentionTimeInMinutes"] == 7 * 1440


async def test_a_fleet_that_another_hub_founded_is_seen_within_seconds_from_its_first_event(running, namespace) -> None:
    topic = new_topic()
    collector = Collector(topic)
    async with running() as here, running() as there:
        await here.subscribe(collector)
        sent = numbered(new_events(topic, 5))
        await there.publish(sent)
        assert await collector.wait_for(5, seconds=3) == ids(sent)


async def test_a_dropped_topic_does_not_come_back_for_who_was_reading_it(running, namespace, pulsar) -> None:
    topic = new_topic()
    collector = Collector(topic)
    async with running() as here, running() as there:
        await here.subscribe(collector)
        await there.publish(numbered(new_events(topic, 3)))
        await collector.wait_for(3, seconds=SECONDS)
        await there.drop_topic(topic)
        again = numbered(new_events(topic, 3), first=4)
        async with asyncio.timeout(SECONDS):
            while await ask(pulsar, f"persistent/ringforge/{namespace}"):  # noqa: ASYNC110 — a broker tells nobody
                await asyncio.sleep(0.05)
        await there.publish(again)
        assert (await collector.wait_for(6, seconds=SECONDS))[3:] == ids(again)
        assert ids((await here.replay(topic, ReplayFilter())).events) == ids(again)


async def test_another_tenants_hand_cannot_drop_or_trim_a_topic(running) -> None:
    topic = new_topic()
    claimed = Topic(new_topic().tenant_id, topic.fleet_id, topic.name)
    async with running() as bus:
        sent = numbered(new_events(topic, 3))
        await bus.publish(sent)
        await bus.drop_topic(claimed)
        assert ids((await bus.replay(topic, ReplayFilter())).events) == ids(sent)


async def test_a_full_queue_pushes_back_and_takes_events_again_later(running) -> None:
    topic = new_topic()
    async with running(queue_size=50) as bus:
        await bus.publish(numbered(new_events(topic, 1)))
        calls = [bus.publish(numbered(new_events(topic, 20), first=20 * n + 2)) for n in range(10)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        refused = [outcome for outcome in outcomes if outcome is not None]
        assert refused
        assert all(isinstance(error, Backpressure) for error in refused)
        assert bus.load().refused == len(refused)
        assert bus.load().queued == 0
        await bus.publish(numbered(new_events(topic, 20), first=500))
        taken = 1 + 20 * (len(outcomes) - len(refused)) + 20
        assert len((await bus.replay(topic, ReplayFilter(limit=1000))).events) == taken


async def test_an_event_that_the_broker_never_takes_is_no_reason_to_try_for_ever(running) -> None:
    topic = new_topic()
    large = new_event(topic, body=msgspec.Raw(msgspec.json.encode({"text": "x" * (6 << 20)})))
    async with running(compression="none") as bus:
        with pytest.raises(LimitReached) as refused:
            await bus.publish(numbered([large]))
        assert refused.value.reason == "event_too_big"
        small = numbered(new_events(topic, 1), first=2)
        await bus.publish(small)
        assert ids((await bus.replay(topic, ReplayFilter())).events) == ids(small)


async def test_pages_go_on_where_the_last_one_ended_though_hubs_published_out_of_order(running) -> None:
    topic = new_topic()
    async with running() as bus:
        events = numbered(new_events(topic, 60))
        for part in (events[10:30], events[:10], events[40:], events[30:40]):
            await bus.publish(part)
        seen: list[str] = []
        after: int | None = 0
        while after is not None:
            page = await bus.replay(topic, ReplayFilter(after_seq=after, limit=7))
            seen += ids(page.events)
            after = page.next_seq
    assert seen == ids(events)


async def test_without_a_broker_a_start_says_where_it_looked(running) -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        async with running(admin_url="http://127.0.0.1:9", service_url="pulsar://127.0.0.1:9"):
            pass


async def test_nothing_works_after_a_stop(running) -> None:
    async with running() as bus:
        pass
    with pytest.raises(Unavailable):
        await bus.publish(numbered(new_events(new_topic(), 1)))
