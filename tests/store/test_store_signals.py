"""Hubs on one PostgreSQL hear each other's signals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import sqlalchemy as sa

from ringforge_core.errors import StoreInUse
from ringforge_core.store import SqlStore
from ringforge_core.testkit.postgres import PostgresServer

SECONDS = 10.0


class Heard:
    """What a store's listener got, in order."""

    def __init__(self, store: SqlStore) -> None:
        self.bodies: list[bytes] = []
        self.missed = asyncio.Event()
        self._more = asyncio.Event()
        store.on_signal("test", self._take, missed=self._miss)

    async def wait_for(self, count: int) -> list[bytes]:
        async with asyncio.timeout(SECONDS):
            while len(self.bodies) < count:
                self._more.clear()
                await self._more.wait()
        return self.bodies

    def _take(self, body: bytes) -> None:
        self.bodies.append(body)
        self._more.set()

    async def _miss(self) -> None:
        self.missed.set()


@pytest.fixture
async def url(postgres: PostgresServer) -> str:
    return await postgres.new_database()


@pytest.fixture
async def stores(url: str) -> AsyncIterator[tuple[SqlStore, SqlStore]]:
    async with AsyncExitStack() as stack:
        opened = []
        for node in ("one", "two"):
            store = SqlStore(url, node=node)
            await store.open()
            stack.push_async_callback(store.close)
            opened.append(store)
        yield opened[0], opened[1]


async def test_signals_arrive_in_order_whatever_their_size_and_not_at_their_sender(
    stores: tuple[SqlStore, SqlStore],
) -> None:
    one, two = stores
    own, other = Heard(one), Heard(two)
    sent = [b'"%d %b"' % (number, "ö".encode() * size) for number, size in enumerate((0, 10, 100_000, 3, 20_000, 0))]
    for body in sent:
        one.signal("test", body)
    one.signal("another name", b"1")
    assert await other.wait_for(len(sent)) == sent
    two.signal("test", b'"back"')
    assert await own.wait_for(1) == [b'"back"']
    assert len(other.bodies) == len(sent)


async def test_a_listener_that_raises_keeps_nobody_from_hearing(stores: tuple[SqlStore, SqlStore]) -> None:
    one, two = stores

    def stumble(_: bytes) -> None:
        raise RuntimeError("this listener stumbles, as this test wants")

    two.on_signal("test", stumble)
    other = Heard(two)
    one.signal("test", b"1")
    one.signal("test", b"2")
    assert await other.wait_for(2) == [b"1", b"2"]


async def test_who_lost_the_connection_is_told_and_hears_again(stores: tuple[SqlStore, SqlStore]) -> None:
    one, two = stores
    other = Heard(two)
    await one.read(
        lambda connection: connection.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query ~ 'LISTEN'"
            )
        ).all()
    )
    await asyncio.wait_for(other.missed.wait(), SECONDS)
    async with asyncio.timeout(SECONDS):
        while not other.bodies:
            one.signal("test", b"1")
            await asyncio.sleep(0.05)


async def test_a_name_belongs_to_one_hub_until_it_closes(
    stores: tuple[SqlStore, SqlStore], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringforge_core.store.signals.NAME_SECONDS", 0.3)
    third = SqlStore(url, node="one")
    with pytest.raises(StoreInUse, match="Another hub named one"):
        await third.open()
    await stores[0].close()
    await third.open()
    await third.close()
