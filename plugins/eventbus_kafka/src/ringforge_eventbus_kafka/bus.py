"""The verbs of the port EventBus, over Apache Kafka."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from ringforge_core.errors import Unavailable
from ringforge_core.plugin import AdapterContext, Periodic
from ringforge_core.ports.event_bus import (
    BusLoad,
    Event,
    EventBus,
    Handler,
    Replay,
    ReplayFilter,
    Subscription,
    Topic,
)
from ringforge_eventbus_kafka.broadcast import Broadcast
from ringforge_eventbus_kafka.connection import client_options
from ringforge_eventbus_kafka.delivery import Delivery
from ringforge_eventbus_kafka.failures import FAILURES
from ringforge_eventbus_kafka.group import GroupMember
from ringforge_eventbus_kafka.log import Log
from ringforge_eventbus_kafka.publisher import Publisher
from ringforge_eventbus_kafka.quiet import quieten_aiokafka
from ringforge_eventbus_kafka.records import Decoder
from ringforge_eventbus_kafka.settings import KafkaEventBusSettings
from ringforge_eventbus_kafka.topics import Topics


class KafkaEventBus(EventBus):
    def __init__(self, settings: KafkaEventBusSettings, context: AdapterContext) -> None:
        self._settings = settings
        self._options = client_options(settings, context.node)
        self._decoder = Decoder()
        self._topics = Topics(settings, self._options, self._follow)
        self._publisher = Publisher(settings, self._options, self._topics)
        self._log = Log(settings, self._options, self._topics, self._decoder)
        self._watch = Periodic("eventbus-kafka-topics", self._topics.refresh, settings.topic_refresh_seconds)
        self._deliveries: list[Delivery] = []
        self._subscribing = asyncio.Lock()

    async def start(self) -> None:
        quieten_aiokafka()
        await self._topics.start()
        await self._publisher.start()
        await self._watch.start()

    async def stop(self) -> None:
        await self._watch.stop()
        await self._publisher.stop()
        with contextlib.suppress(Unavailable, *FAILURES):  # without a broker there is nothing to hand over
            async with asyncio.timeout(self._settings.flush_seconds):
                await self._drain()
        for delivery in list(self._deliveries):
            await delivery.abort()
        await self._log.stop()
        await self._topics.stop()

    async def ensure_topic(
        self, topic: Topic, *, retention: timedelta, partitions: int = 1, compacted: bool = False
    ) -> None:
        await self._topics.ensure(str(topic), retention=retention, partitions=partitions, compacted=compacted)

    async def publish(self, events: Sequence[Event]) -> None:
        await self._publisher.publish(events)

    async def subscribe(self, handler: Handler, *, topics: Sequence[str] = (), group: str | None = None) -> Subscription:
        names = frozenset(topics)
        async with self._subscribing:  # the first member of a new group must have begun it before the second comes
            await self._topics.refresh()
            delivery: Broadcast | GroupMember
            if group is None:
                delivery = Broadcast(handler, self._forget, names, self._decoder, self._options)
            else:
                delivery = GroupMember(handler, self._forget, group, names, self._decoder, self._settings, self._options)
            self._deliveries.append(delivery)
            try:
                await delivery.start(self._topics.partitions)
            except BaseException:
                await delivery.abort()
                raise
            self._follow(self._topics.partitions)  # what appeared meanwhile
        return delivery

    async def replay(self, topic: Topic, query: ReplayFilter) -> Replay:
        return await self._log.replay(topic, query)

    async def trim(self, topic: Topic, *, before: datetime) -> int:
        return await self._log.trim(topic, before)

    async def drop_topic(self, topic: Topic) -> None:
        if await self._log.owner(topic) in (None, topic.tenant_id):
            await self._topics.drop(str(topic))

    def load(self) -> BusLoad:
        return BusLoad(
            queued=self._publisher.queued,
            lag=sum(delivery.lag for delivery in self._deliveries),
            refused=self._publisher.refused,
            skipped=self._decoder.skipped,
        )

    def _broadcasts(self) -> list[Broadcast]:
        return [delivery for delivery in self._deliveries if isinstance(delivery, Broadcast)]

    def _follow(self, topics: Mapping[str, int]) -> None:
        for broadcast in self._broadcasts():
            broadcast.follow(topics)

    async def _drain(self) -> None:
        """Let subscribers that have no place kept for them handle what is in the log."""
        await self._topics.refresh()
        await asyncio.gather(*(broadcast.drained() for broadcast in self._broadcasts()))

    def _forget(self, delivery: Delivery) -> None:
        self._deliveries.remove(delivery)
