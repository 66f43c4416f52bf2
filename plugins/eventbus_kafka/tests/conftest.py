"""A real Apache Kafka for the tests of a file, a bus on it, and a look at its records from outside.

Where there is no Java or Maven a look-alike stands in, and the tests of `LOOKALIKE_CANNOT_PROVE` are skipped.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from ringforge_eventbus_kafka import KafkaEventBus, KafkaEventBusSettings

from ringforge_core.plugin import AdapterContext
from ringforge_core.ports.event_bus import Topic
from ringforge_core.testkit.kafka import KafkaBroker, OwnKafkaBroker, kafka_broker

SECONDS = 10.0

_AWAY = "killed right after it took an event, it has lost it, so an outage on it tells nothing of Kafka's"
_REBALANCE = "while a member is busy, its rebalance with a second one may hang"
_EVICTION = "it never gives up a member that was killed"
LOOKALIKE_CANNOT_PROVE = {
    "test_a_publish_without_a_broker_says_so": _AWAY,
    "test_nothing_is_lost_while_the_broker_is_away": _AWAY,
    "test_d106_a_full_queue_pushes_back_and_keeps_what_it_took": _AWAY,
    "test_a_subscription_without_a_broker_says_so_and_leaves_nothing": _AWAY,
    "test_a_broker_that_is_away_does_not_fill_the_log": _AWAY,
    "test_members_come_and_go_and_every_event_is_handled": _REBALANCE,
    "test_a_member_ends_its_call_before_its_events_go_to_another": _REBALANCE,
    "test_a_member_lets_go_of_what_it_could_not_handle_when_another_joins": _REBALANCE,
    "test_the_others_take_over_from_a_member_that_crashed": _EVICTION,
}
"""Tests, by name, that need what only Apache Kafka does, and why."""

Running = Callable[..., AbstractAsyncContextManager[KafkaEventBus]]
RawRecords = Callable[[Topic], Awaitable[list[Any]]]


@pytest.fixture(scope="module")
def kafka() -> Iterator[KafkaBroker]:
    with kafka_broker(or_lookalike=True) as broker:
        yield broker


@pytest.fixture(autouse=True)
def _only_what_the_broker_can_prove(request: pytest.FixtureRequest) -> None:
    if "kafka" not in request.fixturenames:
        return
    broker: KafkaBroker = request.getfixturevalue("kafka")
    name: str = request.node.originalname
    if broker.lookalike is not None and (reason := LOOKALIKE_CANNOT_PROVE.get(name)) is not None:
        pytest.skip(f"{name} is not proved on {broker.lookalike}: {reason}")


@pytest.fixture
def own_kafka(kafka: KafkaBroker) -> OwnKafkaBroker:
    if not isinstance(kafka, OwnKafkaBroker):
        pytest.skip("RINGFORGE_TEST_KAFKA names a broker that is not the test's to stop")
    return kafka


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


@pytest.fixture
def raw_records(kafka: KafkaBroker) -> RawRecords:
    """All records of a topic, as any consumer of Kafka sees them."""

    async def read(topic: Topic) -> list[Any]:
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

    return read
