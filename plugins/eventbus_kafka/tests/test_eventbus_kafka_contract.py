"""The Kafka bus keeps the contract of the port, on a real Apache Kafka."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from ringforge_eventbus_kafka import KafkaEventBus, KafkaEventBusSettings

from ringforge_core.plugin import AdapterContext
from ringforge_core.ports.event_bus import Topic
from ringforge_core.testkit.event_bus import Broker, BusPlugin, EventBusContract, Poison
from ringforge_core.testkit.kafka import KafkaBroker, OwnKafkaBroker


class TestKafkaEventBus(EventBusContract):
    ordered_across_keys = False  # a topic has several partitions, and each keeps its own order

    @pytest.fixture
    async def bus(self, kafka: KafkaBroker, tmp_path: Path) -> AsyncIterator[KafkaEventBus]:
        settings = KafkaEventBusSettings(
            bootstrap_servers=(kafka.address,), compact_after_seconds=1, publish_seconds=2,
            session_seconds=2 if kafka.lookalike is None else 6,  # a look-alike takes no shorter ones
        )  # fmt: skip
        bus = KafkaEventBus(settings, AdapterContext(data_directory=tmp_path, store=None, node="test"))
        await bus.start()
        yield bus
        await bus.stop()

    @pytest.fixture
    def broker(self, kafka: KafkaBroker) -> Broker:
        if not isinstance(kafka, OwnKafkaBroker):
            pytest.skip("RINGFORGE_TEST_KAFKA names a broker that is not the test's to stop")
        return kafka

    @pytest.fixture
    def bus_plugin(self, kafka: KafkaBroker) -> BusPlugin:
        return BusPlugin("kafka", {"bootstrap_servers": [kafka.address], "session_seconds": 2})

    @pytest.fixture
    def poison(self, kafka: KafkaBroker) -> Poison:
        async def write(topic: Topic) -> None:
            async with AIOKafkaProducer(bootstrap_servers=kafka.address) as producer:
                for value in (b"", b"{", b"[]", b'{"event_id": "evt_stranger"}', b"\xff\xfe", None):
                    await producer.send_and_wait(str(topic), value, key=b"default")

        return write
