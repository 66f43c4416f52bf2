"""Connect a producer, and give one up."""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import ProducerClosed

from ringforge_eventbus_kafka.failures import translated
from ringforge_eventbus_kafka.settings import KafkaEventBusSettings

_CLOSE_SECONDS = 1.0


async def connect(settings: KafkaEventBusSettings, options: dict[str, Any]) -> AIOKafkaProducer:
    producer = AIOKafkaProducer(
        **options,
        enable_idempotence=True,
        acks="all",
        linger_ms=settings.linger_ms,
        max_batch_size=settings.batch_bytes,
        max_request_size=settings.max_event_bytes,
        compression_type=None if settings.compression == "none" else settings.compression,
    )
    with translated("connect"):
        try:
            async with asyncio.timeout(settings.publish_seconds):
                await producer.start()
        except BaseException:
            await producer.stop()
            raise
    return producer


async def give_up(producer: AIOKafkaProducer, flush_seconds: float) -> None:
    """Let it send what it has, but no longer than `flush_seconds`; then what it still has fails."""
    flush = asyncio.ensure_future(producer.flush())
    _, late = await asyncio.wait([flush], timeout=flush_seconds)
    if late:
        # An idempotent producer tries for ever, and its stop waits for that; there is no public way to end it.
        producer._message_accumulator.fail_all(ProducerClosed())
        await flush
    stop = asyncio.ensure_future(producer.stop())
    _, late = await asyncio.wait([stop], timeout=_CLOSE_SECONDS)
    if late:  # a request waits for an answer of a broker that is gone
        await producer.client.close()
        await stop
