"""The verbs of the port EventBus, over Pulsar."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec
import structlog
from pulsar.asyncio import Client

from ringforge_core.errors import Backpressure, Unavailable
from ringforge_core.plugin import AdapterContext
from ringforge_core.ports.event_bus import BusLoad, Event, EventBus, Handler, Replay, ReplayFilter, Subscription, Topic
from ringforge_eventbus_pulsar.admin import Admin
from ringforge_eventbus_pulsar.connection import CredentialsRefused, connect, disconnect
from ringforge_eventbus_pulsar.discovery import Discovery
from ringforge_eventbus_pulsar.history import History
from ringforge_eventbus_pulsar.names import Names
from ringforge_eventbus_pulsar.notes import Layout
from ringforge_eventbus_pulsar.past import Past
from ringforge_eventbus_pulsar.producers import Producers
from ringforge_eventbus_pulsar.record import Decoder
from ringforge_eventbus_pulsar.settings import PulsarEventBusSettings
from ringforge_eventbus_pulsar.subscriber import Subscriber
from ringforge_eventbus_pulsar.subscribing import GroupSources, ReaderSources, Sources
from ringforge_eventbus_pulsar.topics import Topics

READ_AGAIN_SECONDS = 0.2

Read = TypeVar("Read")

log = structlog.get_logger(__name__)


class Session(msgspec.Struct, frozen=True):
    """What there is between start and stop."""

    client: Client
    producers: Producers
    history: History


class PulsarEventBus(EventBus):
    def __init__(self, settings: PulsarEventBusSettings, context: AdapterContext) -> None:
        settings.check()
        self._settings = settings
        self._decoder = Decoder()
        self._names = Names(settings.tenant, settings.namespace)
        self._discovery = Discovery(settings.discovery_seconds)
        self._admin = Admin(settings)
        self._topics = Topics(self._admin, self._names, settings, self._discovery.created)
        self._subscribers: list[Subscriber] = []
        self._session: Session | None = None
        self._refused = 0

    async def start(self) -> None:
        await self._topics.set_up()
        client = connect(self._settings, self._admin.bearer)
        self._session = Session(
            client=client,
            producers=Producers(client, self._topics, self._names, self._settings),
            history=History(Past(client, self._decoder), self._settings.straggler_seconds),
        )
        await self._discovery.start(self._topics)

    async def stop(self) -> None:
        await self._discovery.stop()
        session, self._session = self._session, None
        if session is None:
            return
        await self._drain()
        await asyncio.gather(*(subscriber.abort() for subscriber in list(self._subscribers)))
        await session.producers.close()
        await disconnect(session.client)
        await self._admin.close()

    async def ensure_topic(
        self, topic: Topic, *, retention: timedelta, partitions: int = 1, compacted: bool = False
    ) -> None:
        await self._topics.ensure(topic, Layout(retention=retention, partitions=partitions, compacted=compacted))

    async def publish(self, events: Sequence[Event]) -> None:
        try:
            await self._connected().producers.publish(events)
        except Backpressure:
            self._refused += 1
            raise

    async def subscribe(self, handler: Handler, *, topics: Sequence[str] = (), group: str | None = None) -> Subscription:
        client = self._connected().client
        sources: Sources = GroupSources(client, group) if group else ReaderSources(client, self._topics)
        subscriber = Subscriber(
            handler,
            frozenset(topics),
            sources=sources,
            decoder=self._decoder,
            buffer_size=self._settings.buffer_size,
            on_cancel=self._forget,
        )
        self._subscribers.append(subscriber)
        try:
            await subscriber.begin(await self._topics.partitions())
        except BaseException:
            await subscriber.abort()
            raise
        self._discovery.add(subscriber)
        return subscriber

    async def replay(self, topic: Topic, query: ReplayFilter) -> Replay:
        history = self._connected().history
        stored = await self._topics.find(topic)
        return Replay((), None) if stored is None else await self._patiently(lambda: history.page(stored, query))

    async def trim(self, topic: Topic, *, before: datetime) -> int:
        """Notes it, so that no replay shows older events from now on; the broker deletes them when their ledger is over."""
        history = self._connected().history
        stored = await self._topics.find(topic)
        if stored is None or before <= stored.oldest:
            return 0
        forgotten = await self._patiently(lambda: history.count(stored, before=before))
        await self._topics.note_trimmed(topic, before)
        return forgotten

    async def drop_topic(self, topic: Topic) -> None:
        await self._connected().producers.forget(topic)
        await self._topics.drop(topic)

    def load(self) -> BusLoad:
        return BusLoad(
            queued=self._session.producers.waiting if self._session else 0,
            lag=sum(subscriber.backlog() for subscriber in self._subscribers),
            refused=self._refused,
            skipped=self._decoder.skipped,
        )

    async def _patiently(self, read: Callable[[], Awaitable[Read]]) -> Read:
        """Read again what failed: a partition that moves to another broker, or is compacted, is not there for a moment."""
        end = time.monotonic() + self._settings.request_seconds
        while True:
            try:
                return await read()
            except CredentialsRefused:
                raise
            except Unavailable as error:
                if time.monotonic() >= end:
                    raise
                log.info("pulsar_read_again", error=str(error), retry_seconds=READ_AGAIN_SECONDS)
            await asyncio.sleep(READ_AGAIN_SECONDS)

    def _connected(self) -> Session:
        if self._session is None:
            raise Unavailable("the connection to Pulsar is closed")
        return self._session

    async def _drain(self) -> None:
        """Let subscribers handle what was published, for so long as the settings allow."""
        if self._subscribers:
            draining = [asyncio.ensure_future(subscriber.drained()) for subscriber in self._subscribers]
            _, late = await asyncio.wait(draining, timeout=self._settings.flush_seconds)
            for waiting in late:
                waiting.cancel()

    def _forget(self, subscriber: Subscriber) -> None:
        self._discovery.remove(subscriber)
        self._subscribers.remove(subscriber)
