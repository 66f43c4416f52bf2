"""Writes events to Pulsar as fast as it acknowledges them, in two ways, and prints both rates as JSON.

python -m bench.pulsar_writer bare|adapter SERVICE_URL ADMIN_URL SECONDS
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec
import pulsar
from pulsar.asyncio import Client

from bench.event_writing import PARTITIONS, TOPIC, Write, in_slices, one_by_one
from bench.servers.event_buses import Written
from ringforge_core.plugin import AdapterContext
from ringforge_core.plugin.manager import PluginManager
from ringforge_core.ports.event_bus import Event, EventBus


@asynccontextmanager
async def bare(service_url: str, admin_url: str) -> AsyncIterator[Write]:
    """pulsar-client with the adapter's settings; what is sent is encoded as the adapter does it, without properties."""
    topic = f"persistent://public/default/{TOPIC}"
    async with httpx.AsyncClient(base_url=f"{admin_url}/admin/v2/") as admin:
        (await admin.put(f"persistent/public/default/{TOPIC}/partitions", json=PARTITIONS)).raise_for_status()
    client = Client(service_url, logger=pulsar.FileLogger(pulsar.LoggerLevel.Error, os.devnull))  # else it logs to stdout
    producer = await client.create_producer(
        topic, compression_type=pulsar.CompressionType.LZ4, batching_max_publish_delay_ms=1, max_pending_messages=0,
        max_pending_messages_across_partitions=0, batching_type=pulsar.BatchingType.KeyBased,
    )  # fmt: skip

    async def write(events: Sequence[Event]) -> None:
        sent = (producer.send(msgspec.json.encode(event), partition_key=event.key) for event in events)
        await asyncio.gather(*sent)

    yield write
    await client.close()


@asynccontextmanager
async def adapter(service_url: str, admin_url: str) -> AsyncIterator[Write]:
    plugin = PluginManager().adapter("event_bus", "pulsar")
    settings = msgspec.convert({"service_url": service_url, "admin_url": admin_url}, plugin.settings_type)
    context = AdapterContext(data_directory=Path.cwd(), store=cast(Any, None), node="bench")
    bus = cast(EventBus, plugin.create(settings, context))
    await bus.start()
    await bus.ensure_topic(TOPIC, retention=timedelta(hours=1), partitions=PARTITIONS)
    yield bus.publish
    await bus.stop()


async def main(kind: str, service_url: str, admin_url: str, seconds: float) -> Written:
    async with {"bare": bare, "adapter": adapter}[kind](service_url, admin_url) as write:
        await in_slices(write, seconds / 4)
        return Written(await one_by_one(write, seconds), await in_slices(write, seconds))


if __name__ == "__main__":
    written = asyncio.run(main(*sys.argv[1:4], float(sys.argv[4])))
    sys.stdout.write(msgspec.json.encode(written).decode() + "\n")
