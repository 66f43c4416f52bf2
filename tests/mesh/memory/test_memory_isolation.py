"""A fleet's memory is its own: every event, with the keys, ids and words of another fleet and of another tenant."""

from __future__ import annotations

from uuid import uuid4

import pytest
import sqlalchemy as sa
from mesh_fleet import Fleet

from ringforge_core.identity import bootstrap
from ringforge_core.identity.actor import HUB
from ringforge_core.identity.fleets import create_fleet, delete_fleet
from ringforge_core.mesh.memory.databases import memory_database
from ringforge_core.mesh.memory.indexing import Indexer
from ringforge_core.mesh.memory.writes import MemoryWrites, SetEntry
from ringforge_core.plugin import new_event_id
from ringforge_core.testkit.hub import TestHub
from ringforge_core.testkit.phoenix_client import PhoenixClient

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def sees_nothing(stranger: PhoenixClient, author: str) -> None:
    for event in ("memory:get", "memory:delete", "memory:history"):
        assert (await stranger.refused(event, {"key": "secret"}))["reason"] == "not_found", event
    assert (await stranger.refused("memory:set", {"key": "secret", "if_version": 1}))["version"] == 0
    for event, fields in (
        ("memory:list", {}),
        ("memory:list", {"tags": ["classified"]}),
        ("memory:list", {"author": author}),
        ("memory:query", {"text_search": "swordfish"}),
        ("memory:query", {"text_search": "secret", "sort": "relevance"}),
        ("memory:query", {"sort": "access_count"}),
    ):
        page = (await stranger.ok(event, fields))["payload"]
        assert (page["entries"], page["count"], page["total"]) == ([], 0, 0), (event, fields)


async def test_d67_memory_stays_in_its_fleet(fleet: Fleet, sister_fleet: Fleet, other_fleet: Fleet) -> None:
    owner, owner_id = await fleet.join("owner")
    strangers = [(await other.join("stranger"))[0] for other in (sister_fleet, other_fleet)]
    for stranger in strangers:
        await stranger.ok("memory:subscribe", {"pattern": "*"})
        await stranger.ok("memory:subscribe", {"pattern": "secret"})
    await owner.ok("memory:set", {"key": "secret", "value": "swordfish", "tags": ["classified"]})
    for _ in range(2):  # the second time the owner's fleet has it in memory
        for stranger in strangers:
            await sees_nothing(stranger, owner_id)
        assert (await owner.ok("memory:get", {"key": "secret"}))["payload"]["value"] == "swordfish"
    for stranger in strangers:
        assert stranger.pushes("memory:changed") == []


async def test_d67_the_same_key_in_several_fleets_is_several_entries(
    fleet: Fleet, sister_fleet: Fleet, other_fleet: Fleet
) -> None:
    clients = [(await each.join("agent"))[0] for each in (fleet, sister_fleet, other_fleet)]
    for number, client in enumerate(clients):
        await client.ok("memory:subscribe", {"pattern": "k"})
        await client.ok("memory:set", {"key": "k", "value": f"word{number}"})
    await clients[0].ok("memory:delete", {"key": "k"})
    await clients[2].ok("memory:set", {"key": "k", "value": "word3"})
    await clients[0].expect(lambda m: m.event == "memory:changed" and m.payload["payload"]["action"] == "delete")
    assert (await clients[0].refused("memory:get", {"key": "k"}))["reason"] == "not_found"
    for client, value, version in ((clients[1], "word1", 1), (clients[2], "word3", 2)):
        entry = (await client.ok("memory:get", {"key": "k"}))["payload"]
        assert (entry["value"], entry["version"]) == (value, version)
        page = (await client.ok("memory:query", {"text_search": "word"}))["payload"]
        assert [entry["value"] for entry in page["entries"]] == [value]
        assert len(client.pushes("memory:changed")) == version


async def test_d120_with_its_fleet_a_memory_goes_words_and_history_too(hub: TestHub) -> None:
    store = hub.hub.store
    tenant_id = (await bootstrap(store, tenant=str(uuid4()))).tenant_id
    doomed = await create_fleet(store, tenant_id, name="doomed", actor=HUB)
    database = memory_database(await store.read(lambda connection: connection.dialect.name))
    for value in ('"one"', '"two"'):
        command = SetEntry(
            tenant_id=tenant_id, fleet_id=doomed.id, key="k", author="a", event_id=new_event_id(), value=value, type=None,
            tags=None, metadata=None, ttl=None, if_version=None,
        )  # fmt: skip
        await store.apply(MemoryWrites(database).run, command)
    await Indexer(store, database).index_fleet(tenant_id, doomed.id)

    async def count(query: str) -> int:
        found = await store.read(lambda connection: connection.execute(sa.text(query), {"fleet": doomed.id}).scalar())
        return int(found or 0)

    numbers = "SELECT max(number) FROM memory_entries WHERE fleet_id = :fleet"
    number = await count(numbers)
    row = "rowid" if hub.hub.config.store.url.startswith("sqlite") else "number"
    counts = (
        "SELECT count(*) FROM memory_entries WHERE fleet_id = :fleet",
        "SELECT count(*) FROM memory_history WHERE fleet_id = :fleet",
        f"SELECT count(*) FROM memory_words WHERE {row} = {number}",  # noqa: S608 — a number and a name of our own
    )
    assert [await count(query) for query in counts] == [1, 1, 1]
    await delete_fleet(store, tenant_id, doomed.id, actor=HUB)
    assert [await count(query) for query in counts] == [0, 0, 0]
