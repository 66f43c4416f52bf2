"""The Pulsar bus keeps the contract of the port, on a real Apache Pulsar."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from pulsar.asyncio import Client
from ringforge_eventbus_pulsar import PulsarEventBus
from ringforge_eventbus_pulsar.names import Names

from ringforge_core.ports.event_bus import Topic
from ringforge_core.testkit.event_bus import Broker, BusPlugin, EventBusContract, Poison
from ringforge_core.testkit.pulsar import OwnPulsarServer, PulsarServer


class TestPulsarEventBus(EventBusContract):
    ordered_across_keys = False  # a topic has several partitions, and a batch holds one key

    @pytest.fixture
    async def bus(self, running) -> AsyncIterator[PulsarEventBus]:
        async with running(compaction_bytes=1, publish_seconds=2.0, request_seconds=2.0) as bus:
            yield bus

    @pytest.fixture
    async def broker(self, pulsar: PulsarServer) -> AsyncIterator[Broker]:
        if not isinstance(pulsar, OwnPulsarServer):
            pytest.skip("RINGFORGE_TEST_PULSAR names a broker that is not this test's to stop")
        yield pulsar
        if not pulsar.runs:
            await pulsar.start()

    @pytest.fixture
    def bus_plugin(self, pulsar: PulsarServer, namespace: str) -> BusPlugin:
        urls = {"service_url": pulsar.service_url, "admin_url": pulsar.admin_url}
        return BusPlugin("pulsar", {**urls, "namespace": namespace})

    @pytest.fixture
    async def poison(self, pulsar: PulsarServer, namespace: str) -> AsyncIterator[Poison]:
        client = Client(pulsar.service_url)

        async def poison(topic: Topic) -> None:
            producer = await client.create_producer(Names("ringforge", namespace).of(topic))
            await producer.send(b"\xff this is no event", partition_key="default")

        yield poison
        await client.close()
