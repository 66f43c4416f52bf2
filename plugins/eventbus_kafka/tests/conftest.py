"""One real Apache Kafka for all tests of a process, a bus on it, and a look at its records from outside."""

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

Running = Callable[..., AbstractAsyncContextManager[KafkaEventBus]]
RawRecords = Callable[[Topic], Awaitable[list[Any]]]


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaBroker]:
    with kafka_broker() as broker:
        yield broker


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
