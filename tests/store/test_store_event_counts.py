"""The events of each minute are counted in their own commit: by all hubs together, and through any crash."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from ringforge_core.ports.event_bus import Audience, Event
from ringforge_core.ports.store import Store, Transaction
from ringforge_core.store import SqlStore, StoreSettings, read_counts
from ringforge_core.testkit.postgres import PostgresServer

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def write(tx: Transaction, commands: Sequence[Event | None]) -> list[None]:
    for command in commands:
        if command is not None:
            tx.append(command)
    return [None] * len(commands)


def happening(number: int, *, at: datetime, fleet: str = "fleet", tenant: str = "tenant", push: str = "a:b") -> Event:
    return Event(
        event_id=f"{tenant} {fleet} {push} {at} {number}", tenant_id=tenant, fleet_id=fleet, topic="a", push=push,
        body=msgspec.Raw(b"{}"), at=at, key="", kind=None, agent_id=None, tags=(), audience=Audience(), epoch="", seq=0,
    )  # fmt: skip


async def counts(store: Store, *, since: datetime = NOON, tenant: str = "tenant") -> Sequence[tuple[datetime, str, int]]:
    return await store.read(lambda connection: read_counts(connection, tenant, "fleet", since=since))


@pytest.fixture(params=["sqlite", "postgresql"])
async def stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[list[SqlStore]]:
    """One on SQLite, two on one PostgreSQL."""
    urls = [f"sqlite:///{tmp_path / 'hub.db'}"]
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        urls = [await server.new_database()] * 2
    async with AsyncExitStack() as stack:
        opened = [SqlStore(url, node=f"node-{number}") for number, url in enumerate(urls)]
        for store in opened:
            await store.open()
            stack.push_async_callback(store.close)
        yield opened


async def test_all_hubs_count_together(stores: list[SqlStore]) -> None:
    later = NOON + timedelta(seconds=61)
    works = [happening(number, at=NOON) for number in range(40)] + [
        happening(0, at=later),
        happening(0, at=later, push="c"),
    ]
    await asyncio.gather(*(stores[number % len(stores)].apply(write, event) for number, event in enumerate(works)))
    next_minute = NOON + timedelta(minutes=1)
    for store in stores:
        found = await counts(store)
        assert sorted(found) == [(NOON, "a:b", 40), (next_minute, "a:b", 1), (next_minute, "c", 1)]
        assert [each[0] for each in await counts(store, since=later)] == [next_minute] * 2


async def test_a_tenant_sees_no_counts_of_another_one(stores: list[SqlStore]) -> None:
    await stores[0].apply(write, happening(0, at=NOON))
    assert await counts(stores[0], tenant="other") == []


async def test_counts_survive_a_restart_and_are_forgotten_in_the_end(tmp_path: Path) -> None:
    url, now = f"sqlite:///{tmp_path / 'hub.db'}", datetime.now(UTC)
    for number in range(2):
        store = SqlStore(url, settings=StoreSettings(url=url, sweep_seconds=0.05))
        await store.open()
        await store.apply(write, happening(number, at=now))
        await store.apply(write, happening(number, at=now - timedelta(hours=3)))
        async with asyncio.timeout(15):
            while len(found := await counts(store, since=now - timedelta(days=1))) > 1:  # noqa: ASYNC110 — a sweep tells nobody
                await asyncio.sleep(0.02)
        await store.close()
    assert found[0][1:] == ("a:b", 2)
