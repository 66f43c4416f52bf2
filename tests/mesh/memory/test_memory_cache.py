"""Readings from memory: never older than what was acknowledged, counted, and bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ringforge_core.errors import NotFound
from ringforge_core.mesh.memory.cache import SLOT_BYTES, EntryCache
from ringforge_core.mesh.memory.databases import memory_database
from ringforge_core.mesh.memory.readings import Addition, Counter, Readings
from ringforge_core.mesh.memory.stored import StoredEntry
from ringforge_core.mesh.memory.writes import MemoryWrites, SetEntry
from ringforge_core.plugin import iso, new_event_id, now
from ringforge_core.ports.event_bus import Event, ReplayFilter
from ringforge_core.store import SqlStore
from ringforge_core.testkit.hub import TestHub, running_hub
from ringforge_core.testkit.phoenix_client import PhoenixClient

MEMORY = "RINGFORGE__CAPABILITIES__MEMORY__"
NEVER = "1000000"


def entry(key: str = "k", *, version: int = 1, value: str = "1") -> StoredEntry:
    return StoredEntry(
        tenant_id="t", fleet_id="f", key=key, id="mem_1", version=version, value=value, type="text", tags="[]",
        metadata="{}", author="a", access_count=0, created_at=0, updated_at=0,
    )  # fmt: skip


def change(seq: int, *, key: str = "k") -> Event:
    return Event(
        event_id=f"evt_{seq}", tenant_id="t", fleet_id="f", topic="memory", push="memory:changed", body=msgspec.Raw(b"{}"),
        at=now(), key=key, epoch="e", seq=seq,
    )  # fmt: skip


def version_in(reply: bytes | None) -> int | None:
    return None if reply is None else msgspec.json.decode(reply)["payload"]["version"]


def test_a_reading_that_began_before_a_change_is_not_kept() -> None:
    cache = EntryCache(10**6)
    early = cache.expect("f", "k")
    cache.changed([change(1)])
    assert version_in(cache.fill(early, entry(version=1))) == 1, "it is right for who asked before the change"
    assert cache.read("f", "k") is None
    cache.fill(cache.expect("f", "k"), entry(version=2))
    assert version_in(cache.read("f", "k")) == 2


def test_only_the_newest_change_brings_its_own_outcome() -> None:
    cache = EntryCache(10**6)
    cache.fill(cache.expect("f", "k"), entry(version=1))
    cache.changed([change(1), change(2)])
    cache.written("evt_1", entry(version=2))
    assert cache.read("f", "k") is None
    cache.written("evt_2", entry(version=3))
    assert version_in(cache.read("f", "k")) == 3
    cache.written("evt_0", entry("unread"))
    assert cache.read("f", "unread") is None, "what nobody reads takes no room"


def test_what_the_bus_repeats_is_known_and_what_it_brings_is_not() -> None:
    cache = EntryCache(10**6)
    cache.fill(cache.expect("f", "k"), entry(version=1))
    cache.changed([change(5)])
    cache.written("evt_5", entry(version=2))
    cache.changed_elsewhere(change(4))
    cache.changed_elsewhere(change(5))
    assert version_in(cache.read("f", "k")) == 2
    cache.changed_elsewhere(change(6))
    assert cache.read("f", "k") is None


def test_that_there_is_no_entry_is_known_until_it_changes() -> None:
    cache = EntryCache(10**6)
    with pytest.raises(NotFound):
        cache.fill(cache.expect("f", "k"), None)
    with pytest.raises(NotFound):
        cache.read("f", "k")
    cache.changed([change(1)])
    assert cache.read("f", "k") is None


def test_what_was_not_read_for_longest_makes_room() -> None:
    cache = EntryCache(3 * SLOT_BYTES + 2_000)
    for key in "abc":
        cache.fill(cache.expect("f", key), entry(key))
    cache.read("f", "a")
    cache.fill(cache.expect("f", "d"), entry("d"))
    assert [cache.read("f", key) is not None for key in "abcd"] == [True, False, True, True]
    cache.fill(cache.expect("f", "huge"), entry("huge", value='"' + "x" * 10_000 + '"'))
    assert [cache.read("f", key) for key in ("a", "b", "c", "d", "huge")] == [None] * 5


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[TestHub]:
    async with running_hub(tmp_path, settings={f"{MEMORY}SWEEP_SECONDS": "0.05"}) as hub:
        yield hub


def agent_of(hub: TestHub, name: str = "agent") -> PhoenixClient:
    return PhoenixClient(hub.websocket_url, api_key=hub.keys.agent_key, agent={"name": name})


async def get(client: PhoenixClient, key: str) -> dict[str, Any]:
    payload: dict[str, Any] = (await client.ok("memory:get", {"key": key}))["payload"]
    return payload


async def test_readings_are_counted_and_survive_a_stop(tmp_path: Path) -> None:
    settings = {f"{MEMORY}SWEEP_SECONDS": NEVER}
    async with running_hub(tmp_path, settings=settings) as hub, agent_of(hub) as agent:
        await agent.join()
        await agent.ok("memory:set", {"key": "k", "value": 1})
        assert [(await get(agent, "k"))["access_count"] for _ in range(3)] == [1, 2, 3]
        await agent.ok("memory:set", {"key": "k", "value": 2})
        assert (await get(agent, "k"))["access_count"] == 4
    async with running_hub(tmp_path, settings=settings) as hub, agent_of(hub) as agent:
        await agent.join()
        assert (await get(agent, "k"))["access_count"] == 5


async def test_readings_are_counted_exactly_while_they_are_added_to_the_database(hub: TestHub) -> None:
    async with agent_of(hub, "one") as one, agent_of(hub, "two") as two:
        await one.join()
        await two.join()
        await one.ok("memory:set", {"key": "k"})

        async def read(client: PhoenixClient) -> None:
            for number in range(200):
                await client.ok("memory:get", {"key": "k"})
                if number % 50 == 0:
                    await client.ok("memory:set", {"key": "k", "value": number})

        await asyncio.gather(read(one), read(two))
        count = 0
        while count != 400:  # the test's time limit ends this
            (found,) = (await one.ok("memory:list"))["payload"]["entries"]
            count = found["access_count"]
        assert (await get(one, "k"))["access_count"] == 401


async def test_readings_on_another_node_come_in_with_the_next_batch(hub: TestHub, tmp_path: Path) -> None:
    async with agent_of(hub) as agent:
        await agent.join()
        await agent.ok("memory:set", {"key": "k"})
        assert (await get(agent, "k"))["access_count"] == 1
        elsewhere = SqlStore(f"sqlite:///{tmp_path / 'hub.db'}")
        await elsewhere.open(exclusive=False)
        readings, addition = Readings(), Addition(memory_database("sqlite"))
        found = await get(agent, "k")
        counter = Counter(hub.keys.tenant_id, hub.keys.fleet_id, "k", found["id"])
        for _ in range(1000):
            readings.count(counter)
        await readings.flush(elsewhere, addition)
        await elsewhere.close()
        count = 2
        for own in range(3, 100_000):  # the test's time limit ends this
            count = (await get(agent, "k"))["access_count"]
            assert count in (own, own + 1000)
            if count > 1000:
                break
        assert counter.known >= 1000


async def test_an_entry_in_memory_expires_on_time(tmp_path: Path) -> None:
    async with running_hub(tmp_path, settings={f"{MEMORY}SWEEP_SECONDS": NEVER}) as hub, agent_of(hub) as agent:
        await agent.join()
        await agent.ok("memory:set", {"key": "k", "ttl": 1})
        await get(agent, "k")
        asked, answer = iso(now()), await agent.call("memory:get", {"key": "k"})
        while answer.status == "ok":
            assert answer.response["payload"]["ttl"] > asked
            asked, answer = iso(now()), await agent.call("memory:get", {"key": "k"})
        assert answer.response["reason"] == "not_found"
        assert (await agent.ok("memory:list"))["payload"]["total"] == 0
        assert (await agent.refused("memory:delete", {"key": "k"}))["reason"] == "not_found"
        reply = await agent.ok("memory:set", {"key": "k", "if_version": 0})
        assert reply["version"] == 3, "the deletion that nobody had announced yet counts"


async def test_another_nodes_change_is_seen_when_the_bus_brings_it(hub: TestHub, tmp_path: Path) -> None:
    """A second store on the same database stands for the other node; its event comes in over this one's bus."""
    async with agent_of(hub) as agent:
        await agent.join()
        await agent.ok("memory:set", {"key": "k", "value": "here"})
        assert (await get(agent, "k"))["value"] == "here"
        keys = hub.keys
        elsewhere = SqlStore(f"sqlite:///{tmp_path / 'hub.db'}")
        await elsewhere.open(exclusive=False)
        command = SetEntry(
            tenant_id=keys.tenant_id, fleet_id=keys.fleet_id, key="k", author="ag_other", event_id=new_event_id(),
            value='"there"', type=None, tags=None, metadata=None, ttl=None, if_version=None,
        )  # fmt: skip
        await elsewhere.apply(MemoryWrites(memory_database("sqlite")).run, command)
        newest = await elsewhere.events(keys.tenant_id, keys.fleet_id, ReplayFilter(limit=1, newest=True), topic="memory")
        await elsewhere.close()
        await hub.hub.bus.publish(newest.events)
        found = await get(agent, "k")
        while found["value"] != "there":  # the test's time limit ends this
            found = await get(agent, "k")
        assert (found["version"], found["author"]) == (2, "ag_other")
