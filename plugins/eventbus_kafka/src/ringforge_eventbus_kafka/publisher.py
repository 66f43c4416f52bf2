"""The bounded way from the relay to the log.

An event that was handed to the producer stays there until the broker has it: the producer is idempotent and tries for as
long as it takes, so what it took is neither doubled nor reordered. Who publishes the same event again meanwhile, as the
relay does after an `Unavailable`, waits for the first one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaTimeoutError, MessageSizeTooLargeError

from ringforge_core.errors import Backpressure
from ringforge_core.ports.event_bus import Event
from ringforge_eventbus_kafka.failures import FAILURES, translated
from ringforge_eventbus_kafka.producer import connect, give_up
from ringforge_eventbus_kafka.records import encode, topic_of
from ringforge_eventbus_kafka.settings import KafkaEventBusSettings
from ringforge_eventbus_kafka.topics import Topics

log = structlog.get_logger(__name__)


class Publisher:
    def __init__(self, settings: KafkaEventBusSettings, options: dict[str, Any], topics: Topics) -> None:
        self.refused = 0
        """Calls of `publish` that found the queue full."""
        self._settings = settings
        self._options = options
        self._topics = topics
        self._waiting = 0
        self._sending: dict[str, asyncio.Future[Any]] = {}
        self._in_order = asyncio.Lock()
        self._producer: AIOKafkaProducer | None = None

    @property
    def queued(self) -> int:
        """Events that the broker does not have yet: those with the producer, and those that wait for it."""
        return self._waiting + len(self._sending)

    async def start(self) -> None:
        self._producer = await connect(self._settings, self._options)

    async def stop(self) -> None:
        """Gives the broker `flush_seconds` to take what is on its way."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await give_up(producer, self._settings.flush_seconds)

    async def publish(self, events: Sequence[Event]) -> None:
        """Returns when the broker has all. A call with more events than the queue holds goes in slices."""
        size = self._settings.queue_size
        fresh = sum(event.event_id not in self._sending for event in events)
        if fresh and self.queued and self.queued + min(fresh, size) > size:
            self.refused += 1
            raise Backpressure(
                f"{self.queued} events wait for Kafka already.",
                fix="It is tried again. If it lasts, the brokers are too slow, or [event_bus.kafka] queue_size too small.",
            )
        with translated("publish"):
            for start in range(0, len(events), size):
                async with asyncio.timeout(self._settings.publish_seconds):
                    await self._publish(events[start : start + size])

    async def _publish(self, events: Sequence[Event]) -> None:
        waiting = len(events)
        self._waiting += waiting
        acknowledgements = []
        try:
            async with self._in_order:
                await self._topics.ensure_known(map(topic_of, events))
                for event in events:
                    acknowledgements.append(await self._send(event))
                    self._waiting -= 1
                    waiting -= 1
        finally:
            self._waiting -= waiting
        await self._acknowledged([future for future in acknowledgements if future is not None])

    async def _send(self, event: Event) -> asyncio.Future[Any] | None:
        """The acknowledgement to come; None for an event that Kafka will never take."""
        if (sending := self._sending.get(event.event_id)) is not None:
            return sending  # its caller gave up waiting; we wait on
        record = encode(event)
        if self._producer is None:
            self._producer = await connect(self._settings, self._options)
        try:
            future: asyncio.Future[Any] = await self._producer.send(
                record.topic, record.value, record.key, timestamp_ms=record.timestamp, headers=record.headers
            )
        except MessageSizeTooLargeError:
            # It is safe in the store and reaches members from there; to try it for ever would hold back all fleets.
            log.error("kafka_event_too_large", event_id=event.event_id, topic=record.topic, bytes=len(record.value))
            return None
        except KafkaTimeoutError:
            raise
        except FAILURES:
            await self._replace_producer()
            raise
        self._sending[event.event_id] = future
        future.add_done_callback(lambda done: self._sent(event.event_id, done))
        return future

    def _sent(self, event_id: str, future: asyncio.Future[Any]) -> None:
        del self._sending[event_id]
        if not future.cancelled():
            future.exception()  # seen, also when nobody waits for it any more

    async def _acknowledged(self, acknowledgements: Sequence[asyncio.Future[Any]]) -> None:
        if not acknowledgements:
            return
        done, _ = await asyncio.wait(acknowledgements)
        failed = next((error for future in done if (error := future.exception()) is not None), None)
        if failed is not None:
            async with self._in_order:
                await self._replace_producer()
            raise failed

    async def _replace_producer(self) -> None:
        """Start anew: after a refused batch, the numbers of an idempotent producer no longer fit the broker's."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await give_up(producer, 0)
