"""Writes events to Kafka as fast as it acknowledges them, in two ways, and prints both rates as JSON.

python -m bench.kafka_writer bare|adapter HOST:PORT SECONDS
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bench.event_writing import PARTITIONS, TOPIC, Write, in_slices, one_by_one
from bench.servers.event_buses import Written
from ringforge_core.plugin import AdapterContext
from ringforge_core.plugin.manager import PluginManager
from ringforge_core.ports.event_bus import Event, EventBus
from ringforge_core.testkit.event_bus_events import new_topic


@asynccontextmanager
async def bare(address: str) -> AsyncIterator[Write]:
    """aiokafka with the settings of the adapter; what is sent is encoded as the adapter does it, without headers."""
    topic = new_topic()
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    await admin.create_topics([NewTopic(str(topic), PARTITIONS, 1)])
    await admin.close()
    async with AIOKafkaProducer(
        bootstrap_servers=address, enable_idempotence=True, acks="all", linger_ms=2, compression_type="lz4",
        max_batch_size=131_072,
    ) as producer:  # fmt: skip

        async def write(events: Sequence[Event]) -> None:
            sent = [await producer.send(str(topic), msgspec.json.encode(event), event.key.encode()) for event in events]
            await asyncio.gather(*sent)

        yield write


@asynccontextmanager
async def adapter(address: str) -> AsyncIterator[Write]:
    plugin = PluginManager().adapter("event_bus", "kafka")
    settings = msgspec.convert({"bootstrap_servers": [address]}, plugin.settings_type)
    context = AdapterContext(data_directory=Path.cwd(), store=cast(Any, None), node="bench")
    bus = cast(EventBus, plugin.create(settings, context))
    await bus.start()
    await bus.ensure_topic(TOPIC, retention=timedelta(hours=1), partitions=PARTITIONS)
    yield bus.publish
    await bus.stop()


async def main(kind: str, address: str, seconds: float) -> Written:
    async with {"bare": bare, "adapter": adapter}[kind](address) as write:
        await in_slices(write, seconds / 4)
        return Written(await one_by_one(write, seconds), await in_slices(write, seconds))


if __name__ == "__main__":
    written = asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
    sys.stdout.write(msgspec.json.encode(written).decode() + "\n")
