"""The bounded way from the relay to the log.

An event that was handed to the producer stays there until the broker has it: the producer is idempotent and tries for as
long as it takes, so what it took is neither doubled nor reordered. Who publishes the same event again meanwhile, as the
relay does after an `Unavailable`, waits for the first one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
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
        self._is_open = False

    @property
    def queued(self) -> int:
        """Events that the broker does not have yet: those with the producer, and those that wait for it."""
        return self._waiting + len(self._sending)

    async def start(self) -> None:
        self._producer = await connect(self._settings, self._options)
        self._is_open = True

    async def stop(self) -> None:
        """Gives the broker `flush_seconds` to take what is on its way."""
        self._is_open = False
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
        self._waiting += len(events)
        sending: dict[str, asyncio.Future[Any]] = {}
        waiting = len(events)
        try:
            async with self._in_order:
                await self._topics.ensure_known({topic_of(event) for event in events})
                for event in events:
                    if (future := await self._send(event)) is not None:
                        sending[event.event_id] = future
                    self._waiting -= 1
                    waiting -= 1
            await self._acknowledged(sending.values())
        finally:
            self._waiting -= waiting
            for event_id, future in sending.items():
                self._forget(event_id, future)

    async def _send(self, event: Event) -> asyncio.Future[Any] | None:
        """Hand it to the producer, unless it is there already; None for an event that Kafka will never take."""
        if (sending := self._sending.get(event.event_id)) is not None:
            return sending
        record = encode(event)
        if not self._is_open:
            raise ConnectionError("the event bus is not started")
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
        return future

    async def _acknowledged(self, acknowledgements: Collection[asyncio.Future[Any]]) -> None:
        for future in acknowledgements:
            if not future.done():  # those of one batch are done together, so few are waited for
                await asyncio.wait([future])
        failed = next((error for future in acknowledgements if (error := future.exception()) is not None), None)
        if failed is not None:
            async with self._in_order:
                await self._replace_producer()
            raise failed

    def _forget(self, event_id: str, future: asyncio.Future[Any]) -> None:
        """Now, or when the broker has it: until then, who publishes it again waits for this one."""
        if not future.done():
            future.add_done_callback(lambda _: self._forget(event_id, future))
            return
        future.exception()  # seen, also when nobody waits for it any more
        if self._sending.get(event_id) is future:
            del self._sending[event_id]

    async def _replace_producer(self) -> None:
        """Start anew: after a refused batch, the numbers of an idempotent producer no longer fit the broker's."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await give_up(producer, 0)
