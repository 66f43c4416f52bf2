"""The Kafka bus keeps the contract of the port, on a real Apache Kafka."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from ringforge_eventbus_kafka import KafkaEventBus, KafkaEventBusSettings

from ringforge_core.plugin import AdapterContext
from ringforge_core.testkit.event_bus import EventBusContract
from ringforge_core.testkit.kafka import KafkaBroker


class TestKafkaEventBus(EventBusContract):
    ordered_across_keys = False  # a topic has several partitions, and each keeps its own order

    @pytest.fixture
    async def bus(self, kafka: KafkaBroker, tmp_path: Path) -> AsyncIterator[KafkaEventBus]:
        settings = KafkaEventBusSettings(bootstrap_servers=(kafka.address,))
        bus = KafkaEventBus(settings, AdapterContext(data_directory=tmp_path, store=None, node="test"))
        await bus.start()
        yield bus
        await bus.stop()
