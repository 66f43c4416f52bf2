"""The verbs of the port EventBus, over the store's log and in-process queues."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from ringforge_core.plugin import AdapterContext
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
from ringforge_eventbus_local.consumer import Consumer
from ringforge_eventbus_local.member import Member
from ringforge_eventbus_local.retention import Retention
from ringforge_eventbus_local.settings import LocalEventBusSettings


class LocalEventBus(EventBus):
    """Works in one process; what is published must have been committed to `context.store` before."""

    log_in_store = True

    def __init__(self, settings: LocalEventBusSettings, context: AdapterContext) -> None:
        self._settings = settings
        self._store = context.store
        self._retention = Retention(context.store, interval=settings.trim_seconds)
        self._members: list[Member] = []
        self._consumers: dict[Consumer, None] = {}
        self._groups: dict[tuple[str, frozenset[str]], Consumer] = {}

    async def start(self) -> None:
        await self._retention.start()

    async def stop(self) -> None:
        await self._retention.stop()
        if self._consumers:
            flushed = [asyncio.ensure_future(consumer.drained.wait()) for consumer in self._consumers]
            _, late = await asyncio.wait(flushed, timeout=self._settings.flush_seconds)
            for waiter in late:
                waiter.cancel()
        for member in list(self._members):
            await member.abort()

    async def ensure_topic(
        self, topic: Topic, *, retention: timedelta, partitions: int = 1, compacted: bool = False
    ) -> None:
        self._retention.keep(topic, retention)

    async def publish(self, events: Sequence[Event]) -> None:
        for consumer in self._consumers:
            consumer.offer(events)

    async def subscribe(self, handler: Handler, *, topics: Sequence[str] = (), group: str | None = None) -> Subscription:
        consumer = self._consumer(frozenset(topics), group)
        self._consumers[consumer] = None
        member = Member(consumer, handler, self._forget)
        self._members.append(member)
        return member

    async def replay(self, topic: Topic, query: ReplayFilter) -> Replay:
        return await self._store.events(topic.tenant_id, topic.fleet_id, query, topic=topic.name)

    async def trim(self, topic: Topic, *, before: datetime) -> int:
        return await self._store.trim_events(topic.tenant_id, topic.fleet_id, topic.name, before=before)

    async def drop_topic(self, topic: Topic) -> None:
        self._retention.forget(topic)
        await self.trim(topic, before=datetime.max.replace(tzinfo=UTC))

    def load(self) -> BusLoad:
        return BusLoad(lag=sum(consumer.backlog() for consumer in self._consumers))

    def _consumer(self, topics: frozenset[str], group: str | None) -> Consumer:
        """Members of a group that want the same topics share one consumer; who has no group has its own."""
        shared = self._groups.get((group, topics)) if group else None
        if shared is not None:
            return shared
        consumer = Consumer(
            topics, shared=group is not None, capacity=self._settings.queue_size, read_log=self._store.events
        )
        if group:
            self._groups[group, topics] = consumer
        return consumer

    def _forget(self, member: Member) -> None:
        self._members.remove(member)
        if member.consumer.members == 0:
            del self._consumers[member.consumer]
            self._groups = {key: consumer for key, consumer in self._groups.items() if consumer is not member.consumer}
