"""Fleets as agents administer them; the numbers of tests are those of the defects that they keep out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ringforge_core.identity import HUB, Bootstrap, FleetPurge
from ringforge_core.identity.fleets import create_fleet
from ringforge_core.identity.grants import grant_fleet_admin
from ringforge_core.identity.tables import deleted_fleets, tenants
from ringforge_core.plugin import metadata
from ringforge_core.ports.store import Store, Transaction
from ringforge_core.testkit.hub import TestHub, running_hub
from ringforge_core.testkit.phoenix_client import PhoenixClient
from ringforge_core.testkit.postgres import PostgresServer

TOPICS = ("activity", "memory")


@pytest.fixture(params=["sqlite", "postgresql"])
async def running(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TestHub]:
    settings = {}
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        settings["RINGFORGE__STORE__URL"] = await server.new_database()
    async with running_hub(tmp_path, settings=settings) as hub:
        yield hub


def connect(hub: TestHub, keys: Bootstrap, name: str) -> PhoenixClient:
    return PhoenixClient(hub.websocket_url, api_key=keys.agent_key, agent={"name": name})


@pytest.fixture
async def admin(running: TestHub) -> AsyncIterator[PhoenixClient]:
    """An agent that was granted to administer fleets, in the lobby."""
    async with connect(running, running.keys, "admin") as client:
        agent_id = (await client.join())["agent_id"]
        await grant_fleet_admin(running.hub.store, running.keys.tenant_id, agent_id, granted=True, actor=HUB)
        yield client


async def listed(client: PhoenixClient) -> list[dict[str, Any]]:
    reply = await client.ok("fleet:list")
    assert (reply["type"], reply["event"]) == ("fleet", "list")
    payload = reply["payload"]
    assert payload["count"] == len(payload["fleets"])
    fleets: list[dict[str, Any]] = payload["fleets"]
    return fleets


async def test_a_fleet_is_made_listed_changed_and_deleted(running: TestHub, admin: PhoenixClient) -> None:
    created = await admin.ok("fleet:create", {"payload": {"name": "lab", "description": "the lab"}})
    assert (created["type"], created["event"]) == ("fleet", "created")
    lab = created["payload"]
    expected = {"name": "lab", "description": "the lab", "tenant_id": running.keys.tenant_id}
    assert lab == {"id": lab["id"], **expected}
    found, default = await listed(admin)
    assert found.pop("inserted_at") == found.pop("updated_at")
    assert found == {**lab, "agent_count": 0, "squad_count": 0}
    assert (default["name"], default["agent_count"]) == ("default", 1)
    updated = await admin.ok("fleet:update", {"fleet_id": lab["id"], "name": "laboratory"})
    assert updated["payload"] == {"id": lab["id"], "name": "laboratory", "description": "the lab"}
    deleted = await admin.ok("fleet:delete", {"fleet_id": lab["id"]})
    assert (deleted["event"], deleted["payload"]) == ("deleted", {"fleet_id": lab["id"]})
    assert [fleet["name"] for fleet in await listed(admin)] == ["default"]


async def test_squads_are_counted(admin: PhoenixClient) -> None:
    for kind in ("squad", "squad", "pod"):
        await admin.ok("group:create", {"name": f"a {kind} {id(object())}", "type": kind})
    (default,) = await listed(admin)
    assert default["squad_count"] == 2


async def test_d04_d17_only_an_admin_grants_it_and_can_take_it_back(running: TestHub, admin: PhoenixClient) -> None:
    requests: list[tuple[str, dict[str, Any]]] = [
        ("fleet:create", {"name": "mine"}),
        ("fleet:list", {}),
        ("fleet:update", {"fleet_id": running.keys.fleet_id, "name": "mine"}),
        ("fleet:delete", {"fleet_id": running.keys.fleet_id}),
    ]
    async with connect(running, running.keys, "plain") as plain:
        agent_id = (await plain.join({"payload": {"metadata": {"fleet_admin": True}, "model": "fleet_admin"}}))["agent_id"]
        refused = await plain.refused("agent:update_profile", {"metadata": {"fleet_admin": True}})
        assert (refused["reason"], refused["field"]) == ("validation_failed", "metadata")
        for event, payload in requests:
            assert (await plain.refused(event, payload))["reason"] == "forbidden", event
        store, tenant_id = running.hub.store, running.keys.tenant_id
        await grant_fleet_admin(store, tenant_id, agent_id, granted=True, actor=HUB)
        await plain.ok("fleet:create", {"name": "granted"})
        await grant_fleet_admin(store, tenant_id, agent_id, granted=False, actor=HUB)
        assert (await plain.refused("fleet:create", {"name": "again"}))["reason"] == "forbidden"
    assert {fleet["name"] for fleet in await listed(admin)} == {"default", "granted"}


async def test_d04_another_tenants_fleets_are_not_there(running: TestHub, admin: PhoenixClient) -> None:
    globex = await running.tenant("globex")
    spare = await create_fleet(running.hub.store, globex.tenant_id, name="spare", actor=HUB)
    for event in ("fleet:update", "fleet:delete"):
        refused = await admin.refused(event, {"fleet_id": spare.id, "name": "mine"})
        assert refused["reason"] == "not_found"
        assert spare.name not in str(refused)
    assert [fleet["name"] for fleet in await listed(admin)] == ["default"]
    async with connect(running, globex, "theirs") as theirs:
        agent_id = (await theirs.join())["agent_id"]
        await grant_fleet_admin(running.hub.store, globex.tenant_id, agent_id, granted=True, actor=HUB)
        assert {fleet["name"] for fleet in await listed(theirs)} == {"default", "spare"}


async def test_what_cannot_be_is_refused_with_its_reason(running: TestHub, admin: PhoenixClient) -> None:
    lab = (await admin.ok("fleet:create", {"name": "lab"}))["payload"]["id"]
    for event, payload, reason in (
        ("fleet:create", {}, "missing_name"),
        ("fleet:create", {"name": ""}, "invalid_payload"),
        ("fleet:create", {"name": "n" * 101}, "invalid_payload"),
        ("fleet:create", {"name": "nul\x00"}, "invalid_payload"),
        ("fleet:create", {"name": "lab"}, "create_failed"),
        ("fleet:update", {"name": "x"}, "missing_fleet_id"),
        ("fleet:update", {"fleet_id": lab, "name": "default"}, "update_failed"),
        ("fleet:update", {"fleet_id": "nowhere", "name": "x"}, "not_found"),
        ("fleet:delete", {}, "missing_fleet_id"),
        ("fleet:delete", {"fleet_id": running.keys.fleet_id}, "has_agents"),
        ("fleet:list", {"cursor": "nonsense"}, "invalid_cursor"),
    ):
        assert (await admin.refused(event, payload))["reason"] == reason, (event, payload)
    await admin.ok("fleet:delete", {"fleet_id": lab})


async def test_the_same_key_makes_one_fleet(admin: PhoenixClient) -> None:
    request = {"payload": {"name": "lab", "_idempotency_key": "lab-1"}}
    first, again = await admin.ok("fleet:create", request), await admin.ok("fleet:create", request)
    assert first == again
    assert len(await listed(admin)) == 2
    conflict = await admin.refused("fleet:create", {"payload": {"name": "other", "_idempotency_key": "lab-1"}})
    assert conflict["reason"] == "idempotency_conflict"


async def test_the_plan_limits_the_fleets_and_a_deleted_one_makes_room(running: TestHub, admin: PhoenixClient) -> None:
    of_tenant = tenants.c.id == running.keys.tenant_id
    await running.hub.store.apply(_run, tenants.update().where(of_tenant).values(plan="pro"))
    made = [(await admin.ok("fleet:create", {"name": f"fleet {number}"}))["payload"]["id"] for number in range(4)]
    refused = await admin.refused("fleet:create", {"name": "one too many"})
    assert (refused["reason"], refused["resource"]) == ("quota_exceeded", "fleets")
    await admin.ok("fleet:delete", {"fleet_id": made[0]})
    results = await asyncio.gather(*(admin.call("fleet:create", {"name": f"racing {number}"}) for number in range(5)))
    assert sorted(result.status for result in results) == ["error"] * 4 + ["ok"]
    assert len(await listed(admin)) == 5


def _run(tx: Transaction, statements: Sequence[sa.Executable]) -> list[None]:
    for statement in statements:
        tx.execute(statement)
    return [None] * len(statements)


# --- what a deleted fleet leaves --------------------------------------------------------------------------------------


async def _rows_of(store: Store, fleet_id: str) -> set[str]:
    """The tables that have rows of the fleet, but for the history of sessions."""

    def query(connection: sa.Connection) -> set[str]:
        existing = set(sa.inspect(connection).get_table_names()) - {"agent_sessions"}
        tables = [table for name, table in metadata.tables.items() if name in existing and "fleet_id" in table.c]
        return {t.name for t in tables if connection.execute(sa.select(t).where(t.c.fleet_id == fleet_id).limit(1)).first()}

    return await store.read(query)


async def _live_in(client: PhoenixClient) -> None:
    """Leave traces in the fleet."""
    await client.ok("activity:broadcast", {"kind": "custom", "description": "here", "tags": ["a"]})
    await client.ok("activity:subscribe", {"tags": ["a"]})
    await client.ok("memory:set", {"key": "plan", "value": "stay"})
    await client.ok("memory:set", {"key": "plan", "value": "go"})
    await client.ok("group:create", {"name": "crew"})


async def test_d120_a_deleted_fleet_leaves_nothing_behind(running: TestHub, admin: PhoenixClient) -> None:
    store, tenant_id = running.hub.store, running.keys.tenant_id
    lab = (await admin.ok("fleet:create", {"name": "lab"}))["payload"]["id"]
    async with connect(running, running.keys, "settler") as settler:
        await settler.join()
        await settler.ok("agent:migrate", {"fleet_id": lab})
        await settler.expect(lambda message: message.event == "phx_close")
        await settler.join()
        await _live_in(settler)
        assert {"events", "fleet_logs", "memory_entries", "groups"} <= await _rows_of(store, lab)
        await settler.ok("agent:migrate", {"fleet_id": running.keys.fleet_id})
    await _live_in(admin)
    kept = await _rows_of(store, running.keys.fleet_id)

    await admin.ok("fleet:delete", {"fleet_id": lab})
    purge = FleetPurge(store, running.hub.bus, TOPICS, grace=timedelta())
    assert await purge.purge() == 1
    assert await _rows_of(store, lab) == set()
    assert await _rows_of(store, running.keys.fleet_id) == kept
    assert await purge.purge() == 0
    assert tenant_id


async def test_d120_the_purge_waits_for_what_is_still_under_way(running: TestHub, admin: PhoenixClient) -> None:
    store = running.hub.store
    lab = (await admin.ok("fleet:create", {"name": "lab"}))["payload"]["id"]
    await store.position(running.keys.tenant_id, lab)
    await admin.ok("fleet:delete", {"fleet_id": lab})
    assert await FleetPurge(store, running.hub.bus, TOPICS).purge() == 0
    assert await _rows_of(store, lab) == {"fleet_logs", deleted_fleets.name}


async def test_d120_the_hub_purges_by_itself(running: TestHub, admin: PhoenixClient) -> None:
    lab = (await admin.ok("fleet:create", {"name": "lab"}))["payload"]["id"]
    await running.hub.store.position(running.keys.tenant_id, lab)
    await admin.ok("fleet:delete", {"fleet_id": lab})
    purge = FleetPurge(running.hub.store, running.hub.bus, TOPICS, interval=0.01, grace=timedelta())
    await purge.start()
    async with asyncio.timeout(5):
        while await _rows_of(running.hub.store, lab):  # noqa: ASYNC110 — the database has no event to wait on
            await asyncio.sleep(0.01)
    await purge.stop()
    await purge.stop()
    assert "fleet-purge" in {task.get_name() for task in asyncio.all_tasks()}  # the running hub's own
