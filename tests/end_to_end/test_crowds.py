"""Many at once over real sockets, with exact results: first connects, names, and uses of one idempotency key."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from newcomer import Newcomer

from ringforge_core.audit.tables import audit_logs
from ringforge_core.identity.tables import agent_sessions, agents
from ringforge_core.mesh.direct.tables import direct_messages
from ringforge_core.store import SqlStore
from ringforge_core.testkit.hub_process import HubProcess, Keys
from ringforge_core.testkit.phoenix_client import PhoenixClient

CROWD = 1_000
COPIES = 200


@asynccontextmanager
async def crowd(hub: HubProcess, keys: Keys, names: Sequence[str]) -> AsyncIterator[list[Newcomer]]:
    """An agent's connection for each of the names; all come at once."""
    async with asyncio.timeout(60):
        arrived = await asyncio.gather(*(Newcomer.arrive(hub.port, name, keys.agent_key) for name in names))
    try:
        yield arrived
    finally:
        for newcomer in arrived:
            newcomer.leave()


@pytest.fixture
async def hub_process(store_url: str, tmp_path: Path) -> AsyncIterator[HubProcess]:
    """On a machine that other tests keep busy, the last of a crowd waits longer for its reads than the usual 5 s."""
    settings = {"RINGFORGE__STORE__URL": store_url, "RINGFORGE__STORE__BUSY_TIMEOUT_SECONDS": "30"}
    hub = HubProcess(tmp_path / "hub", settings=settings)
    await hub.start()
    yield hub
    await hub.stop()


@pytest.fixture
async def keys(hub_process: HubProcess) -> Keys:
    return await hub_process.bootstrap()


@pytest.fixture
async def store(store_url: str, hub_process: HubProcess) -> AsyncIterator[SqlStore]:
    """The running hub's database, to look at its rows."""
    opened = SqlStore(store_url)
    await opened.open(exclusive=False)
    yield opened
    await opened.close()


async def rows(store: SqlStore, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
    return await store.read(lambda connection: connection.execute(query).all())


async def test_a_thousand_first_connects_at_once_make_a_thousand_agents(
    hub_process: HubProcess, keys: Keys, store: SqlStore
) -> None:
    names = [f"newcomer {number}" for number in range(CROWD)]
    async with crowd(hub_process, keys, names) as newcomers:
        replies = {newcomer.name: newcomer.joined.result() for newcomer in newcomers}
        assert {name: reply["name"] for name, reply in replies.items()} == {name: name for name in names}
        ids = {reply["agent_id"]: name for name, reply in replies.items()}
        assert len(ids) == CROWD
        made = await rows(store, sa.select(agents.c.agent_id, agents.c.name, agents.c.total_connections))
        assert {row.agent_id: row.name for row in made} == ids
        assert {row.total_connections for row in made} == {1}
        still_open = sa.select(agent_sessions.c.agent_id).where(agent_sessions.c.disconnected_at.is_(None))
        assert Counter(row.agent_id for row in await rows(store, still_open)) == Counter(ids.keys())
        registered = sa.select(audit_logs.c.target_id).where(audit_logs.c.action == "agent.registered")
        assert Counter(row.target_id for row in await rows(store, registered)) == Counter(ids.keys())


async def test_a_name_that_many_bring_at_once_is_one_agent(hub_process: HubProcess, keys: Keys, store: SqlStore) -> None:
    names = [f"twin {number}" for number in range(20)]
    async with crowd(hub_process, keys, names * 10) as newcomers:
        ids = {(newcomer.name, newcomer.joined.result()["agent_id"]) for newcomer in newcomers}
        assert sorted(name for name, _ in ids) == sorted(names)
        made = await rows(store, sa.select(agents.c.name, agents.c.agent_id, agents.c.total_connections))
        assert {(row.name, row.agent_id) for row in made} == ids
        assert {row.total_connections for row in made} == {10}


async def test_of_two_hundred_uses_of_a_key_over_the_socket_one_has_an_effect(
    hub_process: HubProcess, keys: Keys, store: SqlStore
) -> None:
    def agent(name: str) -> PhoenixClient:
        return PhoenixClient(hub_process.websocket_url, api_key=keys.agent_key, agent={"name": name})

    async with AsyncExitStack() as stack:
        target = await stack.enter_async_context(agent("target"))
        target_id = (await target.join())["agent_id"]
        copies = [await stack.enter_async_context(agent("sender")) for _ in range(20)]
        await asyncio.gather(*(copy.join() for copy in copies))

        async def at_once(event: str, payload: dict[str, Any]) -> Any:
            """The one reply that all get."""
            request = {"payload": payload, "_idempotency_key": "once"}
            sending = (copy.ok(event, request) for _ in range(COPIES // len(copies)) for copy in copies)
            replies = await asyncio.gather(*sending)
            assert len(replies) == COPIES
            assert replies == replies[:1] * COPIES
            return replies[0]

        sent = await at_once("direct:send", {"to": target_id, "message": "one"})
        written = await at_once("memory:set", {"key": "k", "value": "one"})
        group = await at_once("group:create", {"name": "one"})

        assert written["version"] == 1
        assert [row.message_id for row in await rows(store, sa.select(direct_messages.c.message_id))] == [
            sent["payload"]["message_id"]
        ]
        assert [listed["group_id"] for listed in (await target.ok("group:list"))["groups"]] == [group["group_id"]]
        await target.expect_push("group:created")
        assert [push["payload"]["message_id"] for push in target.pushes("direct:message")] == [
            sent["payload"]["message_id"]
        ]
        async with administer(hub_process, keys) as admin:
            usage = await admin.get(f"/tenants/{keys.tenant_id}/usage")
        assert usage.json()["usage"]["messages_today"]["used"] == 1
        assert usage.json()["usage"]["memory_entries"]["used"] == 1


async def test_of_two_hundred_uses_of_a_key_over_http_one_has_an_effect(hub_process: HubProcess, keys: Keys) -> None:
    async with administer(hub_process, keys) as admin:

        async def at_once(path: str, body: dict[str, Any]) -> Any:
            """The one answer that all get."""
            headers = {"Idempotency-Key": f"once {path}"}
            answers = await asyncio.gather(*(admin.post(path, json=body, headers=headers) for _ in range(COPIES)))
            assert {(answer.status_code, answer.text) for answer in answers} == {(201, answers[0].text)}
            return answers[0].json()

        fleet = await at_once("/fleets", {"name": "one"})
        key = await at_once("/keys", {"type": "live", "name": "one"})
        fleets = (await admin.get("/fleets")).json()["fleets"]
        assert [each["id"] for each in fleets if each["name"] == "one"] == [fleet["id"]]
        keys_now = (await admin.get("/keys")).json()["keys"]
        assert [each["id"] for each in keys_now if each["name"] == "one"] == [key["id"]]
        made = (await admin.get("/audit", params={"limit": 200})).json()["entries"]
        assert Counter(entry["action"] for entry in made if entry["target_id"] in (fleet["id"], key["id"])) == {
            "fleet.created": 1, "api_key.created": 1,
        }  # fmt: skip


def administer(hub: HubProcess, keys: Keys) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=f"{hub.http_url}/api/v1", headers={"Authorization": f"Bearer {keys.admin_key}"}, timeout=30
    )
