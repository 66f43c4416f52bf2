"""What a bus outside of the store has not got is in the outbox, and gets there whatever happens in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from ringforge_eventbus_local import LocalEventBus, LocalEventBusSettings

from ringforge_core.errors import Unavailable
from ringforge_core.plugin import AdapterContext
from ringforge_core.ports.event_bus import Event, Topic
from ringforge_core.ports.store import Transaction
from ringforge_core.store import Bookkeeping, SqlStore
from ringforge_core.store import relay as relay_module
from ringforge_core.store.fleet_topics import FleetTopics
from ringforge_core.store.outbox import BusChange, change_bus
from ringforge_core.store.relay import OutboxRelay
from ringforge_core.store.tables import outbox
from ringforge_core.testkit.event_bus import ids, new_event, new_events, new_topic

SECONDS = 10.0


class Broker(LocalEventBus):
    """Keeps what it gets, as a broker would; it can be away, and there is an event that it never takes."""

    log_in_store = False

    def __init__(self, store: SqlStore, directory: Path) -> None:
        super().__init__(LocalEventBusSettings(), AdapterContext(data_directory=directory, store=store, node="test"))
        self.got: list[Event] = []
        self.away = False
        self.ensured: list[Topic] = []

    async def ensure_topic(
        self, topic: Topic, *, retention: timedelta, partitions: int = 1, compacted: bool = False
    ) -> None:
        self.ensured.append(topic)

    async def publish(self, events: Sequence[Event]) -> None:
        if self.away:
            raise Unavailable("away, as this test wants")
        if any(event.kind == "poison" for event in events):
            raise ValueError("this adapter chokes on poison, as this test wants")
        self.got += events

    def ids(self) -> list[str]:
        return list(dict.fromkeys(ids(self.got)))


def _append(tx: Transaction, events: Sequence[Event]) -> list[None]:
    for event in events:
        tx.append(event)
    return [None] * len(events)


class Hub:
    def __init__(self, store: SqlStore, broker: Broker, relay: OutboxRelay) -> None:
        self.store = store
        self.broker = broker
        self.relay = relay

    async def commit(self, events: Sequence[Event]) -> list[str]:
        await asyncio.gather(*(self.store.apply(_append, event) for event in events))
        return ids(events)

    async def outbox(self) -> int:
        query = sa.select(sa.func.count()).select_from(outbox)
        return int(await self.store.read(lambda connection: connection.execute(query).scalar_one()))

    async def broker_has(self, expected: Sequence[str]) -> None:
        async with asyncio.timeout(SECONDS):
            while sorted(self.broker.ids()) != sorted(expected) or await self.outbox():  # noqa: ASYNC110 — rows tell nobody
                await asyncio.sleep(0.01)


@asynccontextmanager
async def hub(directory: Path, node: str = "one", *, relays: bool = True, **state: bool) -> AsyncIterator[Hub]:
    bookkeeping = Bookkeeping()
    bookkeeping.outbox = node
    store = SqlStore(f"sqlite:///{directory / 'hub.db'}", bookkeeping=bookkeeping)
    broker = Broker(store, directory)
    broker.away = state.get("away", False)

    async def a_day(_: str) -> timedelta:
        return timedelta(days=1)

    relay = OutboxRelay(store, broker, FleetTopics(store, broker, (), a_day), node)
    await store.open()
    if relays:
        await relay.start()
    try:
        yield Hub(store, broker, relay)
    finally:
        await relay.stop()
        await store.close()


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "LAST_RETRY", 0.2)


async def test_everything_arrives_once_and_in_order(tmp_path: Path) -> None:
    topic = new_topic()
    async with hub(tmp_path) as running:
        sent = await running.commit(new_events(topic, 500))
        await running.relay.settled(SECONDS)
        assert [event.seq for event in running.broker.got] == list(range(1, 501))
        assert sorted(running.broker.ids()) == sorted(sent)
        await running.broker_has(sent)


async def test_what_was_committed_while_the_broker_was_away_arrives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "IN_MEMORY", 10)
    monkeypatch.setattr(relay_module, "AT_ONCE", 7)
    topics = [new_topic(), new_topic()]
    async with hub(tmp_path, away=True) as running:
        sent: list[str] = []
        for _ in range(10):
            for topic in topics:
                sent += await running.commit(new_events(topic, 10))
        assert running.relay.backlog == 200
        assert running.broker.got == []
        running.broker.away = False
        await running.broker_has(sent)
        for topic in topics:
            seqs = [event.seq for event in running.broker.got if event.fleet_id == topic.fleet_id]
            assert sorted(set(seqs), key=seqs.index) == list(range(1, 101))
        assert running.relay.backlog == 0
        sent += await running.commit(new_events(topics[0], 3))
        await running.broker_has(sent)


async def test_what_a_life_before_left_arrives(tmp_path: Path) -> None:
    topic = new_topic()
    async with hub(tmp_path, away=True) as running:
        sent = await running.commit(new_events(topic, 20))
    async with hub(tmp_path) as running:
        await running.broker_has(sent)


async def test_what_a_hub_that_is_gone_left_is_adopted(tmp_path: Path) -> None:
    topic = new_topic()
    async with hub(tmp_path, node="gone", relays=False) as gone:
        sent = await gone.commit(new_events(topic, 20))
    async with hub(tmp_path, node="heir") as heir:
        sent += await heir.commit(new_events(topic, 5))
        await heir.relay.adopt("gone")
        await heir.broker_has(sent)


async def test_an_event_that_the_broker_cannot_take_holds_up_nobody(tmp_path: Path) -> None:
    topic = new_topic()
    async with hub(tmp_path) as running:
        await running.commit([new_event(topic, kind="poison")])
        sent = await running.commit(new_events(topic, 5))
        await running.broker_has(sent)


async def test_a_new_bus_gets_what_the_log_still_has_and_the_old_one_nothing_more(tmp_path: Path) -> None:
    topic = new_topic()
    async with hub(tmp_path, relays=False) as running:
        sent = await running.commit(new_events(topic, 10))
        for bus, in_store in (("local", True), ("kafka", False)):
            assert await running.store.apply(change_bus, BusChange(bus, "one", in_store))
        assert not await running.store.apply(change_bus, BusChange("kafka", "one", False))
    async with hub(tmp_path) as running:
        await running.broker_has(sent)
        assert await running.store.apply(change_bus, BusChange("local", "one", True))
        assert await running.outbox() == 0
