"""Sending: a producer for each topic in use, and a bound on what waits for the broker's answer."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from itertools import groupby
from typing import Any

import pulsar
from pulsar.asyncio import Client, Producer, PulsarException

from ringforge_core.errors import Backpressure
from ringforge_core.ports.event_bus import Event, Topic
from ringforge_eventbus_pulsar.connection import closed, meaning_of, translated
from ringforge_eventbus_pulsar.names import Names
from ringforge_eventbus_pulsar.record import as_message
from ringforge_eventbus_pulsar.settings import PulsarEventBusSettings
from ringforge_eventbus_pulsar.topics import Topics

MOST_OPEN = 1_000
"""Producers kept open; past it the one that was not used for longest is closed."""

_COMPRESSION = {
    "none": pulsar.CompressionType.NONE,
    "lz4": pulsar.CompressionType.LZ4,
    "zlib": pulsar.CompressionType.ZLib,
    "zstd": pulsar.CompressionType.ZSTD,
    "snappy": pulsar.CompressionType.SNAPPY,
}


class Producers:
    """The broker's own deduplication is not used: it drops what comes with a lower number than its predecessor, and after
    a hub's failure others hand over its older events late. Who reads tells doubles by `event_id`."""

    def __init__(self, client: Client, topics: Topics, names: Names, settings: PulsarEventBusSettings) -> None:
        self._client = client
        self._topics = topics
        self._names = names
        self._settings = settings
        self._open: dict[Topic, Producer] = {}
        self._opening: dict[Topic, asyncio.Lock] = {}
        self.waiting = 0
        """Events that were sent and not answered yet."""

    async def publish(self, events: Sequence[Event]) -> None:
        """Returns when the broker has all of them on disk. One call of any size is taken while nothing waits."""
        if self.waiting and self.waiting + len(events) > self._settings.queue_size:
            raise Backpressure(f"{self.waiting} events wait for Pulsar already")
        self.waiting += len(events)
        try:
            await _all([self._send(topic, part) for topic, part in _by_topic(events).items()])
        finally:
            self.waiting -= len(events)

    async def close(self) -> None:
        producers, self._open = list(self._open.values()), {}
        await asyncio.gather(*map(closed, producers))

    async def forget(self, topic: Topic) -> None:
        """Close the topic's producer; the next event opens another."""
        self._topics.forget(topic)
        if producer := self._open.pop(topic, None):
            await closed(producer)

    async def _send(self, topic: Topic, events: Sequence[Event]) -> None:
        producer = await self._producer(topic)
        try:
            await _all([producer.send(**as_message(event)) for event in events])
        except PulsarException as error:
            await self.forget(topic)
            raise meaning_of(error, "publish to Pulsar") from error

    async def _producer(self, topic: Topic) -> Producer:
        producer = self._open.pop(topic, None) or await self._opened(topic)
        self._open[topic] = producer  # the last one is the one used last
        if len(self._open) > MOST_OPEN:
            await closed(self._open.pop(next(iter(self._open))))
        return producer

    async def _opened(self, topic: Topic) -> Producer:
        async with self._opening.setdefault(topic, asyncio.Lock()):
            if topic not in self._open:
                self._open[topic] = await self._create(topic)
        self._opening.pop(topic, None)
        return self._open[topic]

    async def _create(self, topic: Topic) -> Producer:
        await self._topics.ensure_some(topic)
        with translated("open a producer on Pulsar"):
            return await self._client.create_producer(
                self._names.of(topic),
                send_timeout_millis=round(self._settings.publish_seconds * 1000),
                compression_type=_COMPRESSION[self._settings.compression],
                max_pending_messages=0,  # bounded here, over all topics
                max_pending_messages_across_partitions=0,
                batching_max_publish_delay_ms=self._settings.batch_delay_ms,
                batching_type=pulsar.BatchingType.KeyBased,  # a batch goes to one member of a group as a whole
                lazy_start_partitioned_producers=True,
            )


def _by_topic(events: Sequence[Event]) -> dict[Topic, list[Event]]:
    parts: dict[Topic, list[Event]] = {}
    for (tenant, fleet, name), run in groupby(events, key=lambda event: (event.tenant_id, event.fleet_id, event.topic)):
        parts.setdefault(Topic(tenant, fleet, name), []).extend(run)
    return parts


async def _all(calls: Sequence[Coroutine[Any, Any, object]]) -> None:
    """Wait for all of them, also when one fails, then raise the first failure. One alone needs no task of its own."""
    if len(calls) == 1:
        await calls[0]
        return
    for outcome in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
