from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from ringforge_core.errors import InvalidPayload, Unavailable
from ringforge_core.ports.event_bus import Event
from ringforge_core.ports.store import Store
from ringforge_core.store import SqlStore, StoreSettings
from ringforge_core.testkit.postgres import OwnPostgresServer, PostgresServer
from ringforge_core.testkit.store import StoreContract
from ringforge_core.testkit.store_changes import Stored, a_key, a_put, make_entries, put, stored_keys, the_log


class TestPostgresStore(StoreContract):
    @pytest.fixture
    async def store(self, postgres: PostgresServer) -> AsyncIterator[Store]:
        store = SqlStore(await postgres.new_database())
        await store.open()
        yield store
        await store.close()

    @pytest.fixture
    async def narrow_store(self, postgres: PostgresServer) -> AsyncIterator[Store]:
        store = SqlStore(await postgres.new_database(), settings=StoreSettings(queue_size=10))
        await store.open()
        yield store
        await store.close()


@pytest.fixture
async def hubs(postgres: PostgresServer) -> AsyncIterator[tuple[SqlStore, SqlStore]]:
    """Two hubs that start together on one empty database."""
    url = await postgres.new_database()
    one, two = SqlStore(url), SqlStore(url)
    await asyncio.gather(one.open(), two.open())
    await one.apply(make_entries, None)
    yield one, two
    await one.close()
    await two.close()


async def test_two_hubs_number_the_same_fleets_without_a_hole_or_a_deadlock(hubs: tuple[SqlStore, SqlStore]) -> None:
    heard: list[list[Event]] = [[], []]
    for hub, events in zip(hubs, heard, strict=True):
        hub.on_commit(events.extend)
    fleets = ["fleet-a", "fleet-b", "fleet-c"]
    for _ in range(10):
        orders = [fleets, fleets[::-1]]
        await asyncio.gather(
            *(hub.apply(put, a_put(fleet_id=orders[h][n % 3])) for n in range(60) for h, hub in enumerate(hubs))
        )
    for fleet in fleets:
        log = await the_log(hubs[0], fleet)
        assert [event.seq for event in log] == list(range(1, 401))
        for events in heard:
            numbers = [event.seq for event in events if event.fleet_id == fleet]
            assert numbers == sorted(numbers)
            assert len(numbers) == 200


async def test_copies_that_race_on_two_hubs_make_one_change(hubs: tuple[SqlStore, SqlStore]) -> None:
    for n in range(20):
        key = a_key(scope={"operation": f"entry:{n}"})
        replies: list[Any] = await asyncio.gather(*(hub.apply(put, a_put(f"entry-{n}"), once=key) for hub in hubs * 10))
        assert [reply for reply in replies if isinstance(reply, Stored)] == [Stored(f"entry-{n}")]
        repeats = {bytes(reply) for reply in replies if isinstance(reply, msgspec.Raw)}
        assert repeats == {msgspec.json.encode(Stored(f"entry-{n}"))}
    assert len(await the_log(hubs[0])) == 20


async def test_a_value_that_the_database_cannot_keep_is_its_senders_fault(hubs: tuple[SqlStore, SqlStore]) -> None:
    good, bad = hubs[0].apply(put, a_put("good")), hubs[0].apply(put, a_put("bad", tags=("\0",)))
    kept, refused = await asyncio.gather(good, bad, return_exceptions=True)
    assert kept == Stored("good")
    assert isinstance(refused, InvalidPayload)


async def test_a_crash_of_the_database_is_a_pause_and_a_long_one_is_said(postgres: PostgresServer) -> None:
    if not isinstance(postgres, OwnPostgresServer):
        pytest.skip("the server in RINGFORGE_TEST_POSTGRES is not ours to crash")
    url = await postgres.new_database()
    hasty = SqlStore(url, settings=StoreSettings(busy_timeout_seconds=0.5))
    patient = SqlStore(url, settings=StoreSettings(busy_timeout_seconds=60))
    for store in (hasty, patient):
        await store.open()
        await store.apply(make_entries, None)
    await patient.apply(put, a_put("before"))
    await asyncio.to_thread(postgres.crash)
    try:
        with pytest.raises(Unavailable):
            await hasty.apply(put, a_put("while it is down"))
        with pytest.raises(Unavailable):
            await stored_keys(hasty)
        waiting = asyncio.create_task(patient.apply(put, a_put("waits")))
        await asyncio.sleep(0)
    finally:
        await asyncio.to_thread(postgres.start)
    await waiting
    assert await stored_keys(patient) == {"before", "waits"}
    await asyncio.to_thread(postgres.crash)
    await asyncio.to_thread(postgres.start)
    await patient.apply(put, a_put("after"))
    assert [event.seq for event in await the_log(patient)] == [1, 2, 3]
    await hasty.close()
    await patient.close()


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        await SqlStore("postgresql://hub:hunter2@127.0.0.1:1/hub").open()
