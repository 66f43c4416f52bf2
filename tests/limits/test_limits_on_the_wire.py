"""What agents and administrators meet when a plan is used up, or when they are too fast."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from quota_tenants import set_plans
from websockets.exceptions import InvalidStatus

from ringforge_core.audit import read_entries, verify
from ringforge_core.identity import Bootstrap, delete_agent
from ringforge_core.identity.actor import HUB
from ringforge_core.limits.tables import quota_counters
from ringforge_core.limits.usage import read_usage
from ringforge_core.testkit.hub import TestHub, running_hub
from ringforge_core.testkit.phoenix_client import PATIENCE, PhoenixClient

SMALL = {
    "CONNECTED_AGENTS": "2", "MESSAGES_TODAY": "10", "MEMORY_ENTRIES": "5", "FLEETS": "2", "AGENT_RATE": "off",
    "KEY_RATE": "off", "ADDRESS_RATE": "off", "EVENT_RATES": "off",
}  # fmt: skip


@asynccontextmanager
async def small_hub(directory: Path, url: str | None = None, **changes: str) -> AsyncIterator[TestHub]:
    """A hub where the plan free allows little."""
    settings = {f"RINGFORGE__LIMITS__FREE__{name}": value for name, value in (SMALL | changes).items()}
    settings["RINGFORGE__CAPABILITIES__PRESENCE__LEAVE_AFTER_SECONDS"] = "0"
    if url is not None:
        settings["RINGFORGE__STORE__URL"] = url
    async with running_hub(directory, settings=settings) as hub:
        yield hub


async def free_tenant(hub: TestHub, name: str = "acme") -> Bootstrap:
    keys = await hub.tenant(name)
    await hub.hub.store.apply(set_plans, (keys.tenant_id, "free"))
    return keys


class People:
    """Agents of a tenant; each is disconnected after the test."""

    def __init__(self, hub: TestHub, keys: Bootstrap, stack: AsyncExitStack) -> None:
        self.hub, self.keys, self._stack = hub, keys, stack

    async def connect(self, name: str) -> PhoenixClient:
        client = PhoenixClient(self.hub.websocket_url, api_key=self.keys.agent_key, agent={"name": name})
        return await self._stack.enter_async_context(client)

    async def join(self, name: str) -> PhoenixClient:
        client = await self.connect(name)
        await client.join()
        return client


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def eventually(satisfied: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await satisfied():  # noqa: ASYNC110 — the hub tells nobody of it
            await asyncio.sleep(0.02)


def said(text: str) -> dict[str, Any]:
    return {"payload": {"kind": "discovery", "description": text}}


async def test_messages_run_out_exactly_and_the_fleet_is_told(tmp_path: Path, url: str, stack: AsyncExitStack) -> None:
    async with small_hub(tmp_path, url, CONNECTED_AGENTS="unlimited") as hub, AsyncExitStack() as agents:
        keys = await free_tenant(hub)
        people = People(hub, keys, agents)
        scout, other = await people.join("scout"), await people.join("other")
        answers = await asyncio.gather(*(scout.call("activity:broadcast", said(f"{n}")) for n in range(30)))
        refused = [answer.response for answer in answers if answer.status == "error"]
        assert len(answers) - len(refused) == 10
        assert {(error["reason"], error["resource"], error["limit"], error["used"]) for error in refused} == {
            ("quota_exceeded", "messages_today", 10, 10)
        }
        assert all(error["resets_at"].endswith("T00:00:00.000000Z") for error in refused)
        for client in (scout, other):
            at_80 = await client.expect_push("system:quota_warning")
            assert at_80["type"] == "system"
            assert at_80["payload"] == {
                "resource": "messages_today", "used": 8, "limit": 10, "resets_at": refused[0]["resets_at"]
            }  # fmt: skip
            await client.expect(lambda m: m.event == "system:quota_warning" and m.payload["payload"]["used"] == 10)
        assert len(other.pushes("activity:broadcast")) == 10
        assert len([push for push in other.pushes("system:quota_warning") if push["payload"]["used"] in (8, 10)]) == 2
    async with small_hub(tmp_path, url) as hub:
        usage = await read_usage(hub.hub.store, hub.hub.quotas, keys.tenant_id)
        assert usage.usage["messages_today"].used == 10
        scout = await People(hub, keys, stack).join("scout")
        assert (await scout.refused("activity:broadcast", said("again")))["reason"] == "quota_exceeded"


async def test_d57_what_is_refused_or_repeated_is_not_counted(tmp_path: Path, stack: AsyncExitStack) -> None:
    async with small_hub(tmp_path) as hub:
        keys = await free_tenant(hub)
        scout = await People(hub, keys, stack).join("scout")
        await scout.refused("activity:broadcast", {"payload": {"kind": "no such kind"}})
        await scout.refused("activity:broadcast", {"payload": {"kind": "alert", "scope": "direct", "to": "ag_nobody"}})
        for _ in range(5):
            await scout.ok("activity:broadcast", {**said("once"), "_idempotency_key": "k-1"})
        usage = await read_usage(hub.hub.store, hub.hub.quotas, keys.tenant_id)
        assert usage.usage["messages_today"].used == 1


async def test_d61_agents_are_counted_and_not_their_connections(tmp_path: Path, url: str, stack: AsyncExitStack) -> None:
    async with small_hub(tmp_path, url) as hub:
        people = People(hub, await free_tenant(hub), stack)
        scout = await people.join("scout")
        await people.join("scout")
        await scout.join()
        await people.join("builder")
        late = await people.connect("late")
        refused = await late.refused("phx_join")
        assert (refused["reason"], refused["resource"], refused["limit"]) == ("quota_exceeded", "connected_agents", 2)
        again = await people.join("scout")
        assert (await again.ok("presence:roster"))["payload"]["total"] == 2


async def test_a_place_is_free_when_its_agent_has_gone(tmp_path: Path, url: str, stack: AsyncExitStack) -> None:
    async with small_hub(tmp_path, url) as hub:
        people = People(hub, await free_tenant(hub), stack)
        async with AsyncExitStack() as leaving:
            await People(hub, people.keys, leaving).join("scout")
            gone = await People(hub, people.keys, leaving).join("builder")
            agent_id = (await gone.join())["agent_id"]
            late = await people.connect("late")
            await late.refused("phx_join")

        async def joined() -> bool:
            return (await late.call("phx_join")).status == "ok"

        await eventually(joined)
        await delete_agent(hub.hub.store, people.keys.tenant_id, agent_id, actor=HUB)
        assert [found.fault for found in await verify(hub.hub.store, people.keys.tenant_id)] == [None]


async def test_racing_joins_fill_the_places_exactly(tmp_path: Path, url: str, stack: AsyncExitStack) -> None:
    async with small_hub(tmp_path, url, CONNECTED_AGENTS="7") as hub:
        people = People(hub, await free_tenant(hub), stack)
        clients = await asyncio.gather(*(people.connect(f"agent-{n}") for n in range(25)))
        answers = await asyncio.gather(*(client.call("phx_join") for client in clients))
        assert sum(answer.status == "ok" for answer in answers) == 7


async def test_a_hub_that_was_killed_forgets_who_was_connected(tmp_path: Path, stack: AsyncExitStack) -> None:
    """The rows of a crashed node are closed at its start, so its places are free again."""
    async with small_hub(tmp_path) as hub:
        keys = await free_tenant(hub)
        people = People(hub, keys, stack)
        await people.join("scout")
        await people.join("builder")
        hub.hub.sessions.close = _crashed  # type: ignore[method-assign]  # a crash ends no session
    async with small_hub(tmp_path) as hub:
        people = People(hub, keys, stack)
        await people.join("late")
        await people.join("later")
        reasons = {entry.metadata.get("reason") for entry in await read_entries(hub.hub.store, keys.tenant_id)}
        assert "hub_restarted" in reasons


async def _crashed(session_id: str, tenant_id: str, reason: str) -> None:
    return None


async def test_a_deleted_fleet_gives_its_memory_back(tmp_path: Path, url: str, stack: AsyncExitStack) -> None:
    async with small_hub(tmp_path, url) as hub:
        keys = await free_tenant(hub)
        admin = httpx.AsyncClient(
            base_url=f"{hub.http_url}/api/v1", headers={"Authorization": f"Bearer {keys.admin_key}"}
        )  # fmt: skip
        await stack.enter_async_context(admin)
        fleet = (await admin.post("/fleets", json={"name": "second"})).json()
        assert (await admin.post("/fleets", json={"name": "third"})).status_code == 403
        key = (await admin.post("/keys", json={"type": "live", "fleet_id": fleet["id"]})).json()["key"]
        async with PhoenixClient(hub.websocket_url, api_key=key, agent={"name": "scout"}) as scout:
            agent_id = (await scout.join())["agent_id"]
            answers = [await scout.call("memory:set", {"payload": {"key": f"k{n}", "value": n}}) for n in range(7)]
            assert [answer.status for answer in answers].count("ok") == 5
            await scout.ok("memory:delete", {"payload": {"key": "k0"}})
            await scout.ok("memory:set", {"payload": {"key": "k9", "value": 9}})
        usage = (await admin.get(f"/tenants/{keys.tenant_id}/usage")).json()["usage"]
        assert usage["memory_entries"] == {"used": 5, "limit": 5}
        assert (await admin.delete(f"/agents/{agent_id}")).status_code == 200
        assert (await admin.delete(f"/fleets/{fleet['id']}")).status_code == 200
        usage = (await admin.get(f"/tenants/{keys.tenant_id}/usage")).json()["usage"]
        assert (usage["memory_entries"]["used"], usage["fleets"]["used"]) == (0, 1)


async def test_a_start_sets_the_count_of_entries_right(tmp_path: Path, stack: AsyncExitStack) -> None:
    async with small_hub(tmp_path) as hub:
        keys = await free_tenant(hub)
        scout = await People(hub, keys, stack).join("scout")
        for n in range(3):
            await scout.ok("memory:set", {"payload": {"key": f"k{n}", "value": n}})
        wrong = quota_counters.update().where(quota_counters.c.resource == "memory_entries").values(used=99)
        await hub.hub.store.apply(lambda tx, commands: [tx.execute(wrong).rowcount for _ in commands], None)
    async with small_hub(tmp_path) as hub:
        query = sa.select(quota_counters.c.used).where(quota_counters.c.resource == "memory_entries")
        assert await hub.hub.store.read(lambda connection: connection.scalars(query).all()) == [3]


async def test_d111_an_agent_that_is_too_fast_is_told_how_long_to_wait(tmp_path: Path, stack: AsyncExitStack) -> None:
    async with small_hub(tmp_path, AGENT_RATE="20/minute", CONNECTED_AGENTS="9") as hub:
        people = People(hub, await free_tenant(hub), stack)
        scout, other = await people.join("scout"), await people.join("other")
        answers = [await scout.call("presence:roster") for _ in range(30)]
        assert [answer.status for answer in answers] == ["ok"] * 19 + ["error"] * 11  # the join was the first
        refused = answers[-1].response
        assert refused["reason"] == "rate_limited"
        assert 0 < refused["retry_after_ms"] <= 60_000
        assert (await scout.refused("no:such_event"))["reason"] == "rate_limited"
        await scout.call("heartbeat", topic="phoenix", join_ref=None)
        await other.ok("presence:roster")


async def test_an_event_has_a_rate_of_its_own(tmp_path: Path, stack: AsyncExitStack) -> None:
    rates = {"EVENT_RATES": "declared", "RATE_OF": '{"presence:roster" = "3/minute"}'}
    async with small_hub(tmp_path, MEMORY_ENTRIES="500", **rates) as hub:
        scout = await People(hub, await free_tenant(hub), stack).join("scout")
        answers = [await scout.call("presence:roster") for _ in range(4)]
        assert [answer.status for answer in answers] == ["ok"] * 3 + ["error"]
        answers = [await scout.call("memory:set", {"payload": {"key": f"k{n}", "value": n}}) for n in range(55)]
        assert [answer.status for answer in answers].count("ok") == 50
        assert answers[-1].response["reason"] == "rate_limited"
        await scout.ok("presence:update", {"payload": {"state": "busy"}})


async def test_the_unlimited_plan_has_no_rates_and_a_change_of_plan_reaches_open_sockets(
    tmp_path: Path, stack: AsyncExitStack
) -> None:
    async with small_hub(tmp_path, AGENT_RATE="5/minute") as hub:
        keys = await hub.tenant("acme")
        scout = await People(hub, keys, stack).join("scout")
        for n in range(100):
            await scout.ok("memory:set", {"payload": {"key": f"k{n}", "value": n}})
        await hub.hub.store.apply(set_plans, (keys.tenant_id, "free"))

        async def limited() -> bool:
            return (await scout.call("presence:roster")).status == "error"

        await eventually(limited)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def test_d33_guessing_keys_is_limited_before_they_are_looked_up(tmp_path: Path) -> None:
    async with small_hub(tmp_path) as hub, httpx.AsyncClient(base_url=hub.http_url) as http:
        path = f"/api/v1/tenants/{hub.keys.tenant_id}"
        assert (await http.get(path, headers=bearer(hub.keys.admin_key))).status_code == 200
        answers = [await http.get(path, headers=bearer(f"rf_admin_{n:032}")) for n in range(12)]
        assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 2
        limited = answers[-1]
        assert limited.json()["error"] == "rate_limited"
        assert limited.json()["retry_after"] == int(limited.headers["retry-after"]) > 0
        known = await http.get(path, headers=bearer(hub.keys.admin_key))
        assert known.status_code == 200, "a key that was good before is no guess"
        with pytest.raises(InvalidStatus) as refused:
            async with PhoenixClient(hub.websocket_url, api_key=f"rf_live_{1:032}", agent={}):
                pass
        assert refused.value.response.status_code == 429
        assert int(refused.value.response.headers["retry-after"]) > 0


async def test_guessing_in_joins_and_on_open_sockets_counts_too(tmp_path: Path, stack: AsyncExitStack) -> None:
    async with small_hub(tmp_path) as hub:
        inside = await stack.enter_async_context(
            PhoenixClient(hub.websocket_url, api_key=hub.keys.agent_key, agent={"name": "inside"})
        )
        await inside.join()
        outside = await stack.enter_async_context(PhoenixClient(hub.websocket_url))
        reasons = []
        for n in range(6):
            guess = {"api_key": f"rf_live_{n:032}"}
            reasons.append((await inside.refused("phx_join", guess, topic=f"fleet:{hub.keys.fleet_id}"))["reason"])
            reasons.append((await outside.refused("phx_join", {**guess, "agent": {"name": "x"}}))["reason"])
        assert reasons == ["invalid_api_key"] * 10 + ["rate_limited"] * 2


async def test_one_agent_with_a_stale_key_does_not_lock_out_its_neighbours(tmp_path: Path, stack: AsyncExitStack) -> None:
    async with small_hub(tmp_path) as hub:
        people = People(hub, await hub.tenant("acme"), stack)
        await people.join("first")
        for _ in range(15):
            with pytest.raises(InvalidStatus):
                async with PhoenixClient(hub.websocket_url, api_key=f"rf_live_{0:032}", agent={"name": "stale"}):
                    pass
        await asyncio.gather(*(people.join(f"agent-{n}") for n in range(100)))


async def test_a_limited_plan_bounds_the_connects_of_an_address(tmp_path: Path, stack: AsyncExitStack) -> None:
    async with small_hub(tmp_path, ADDRESS_RATE="5/minute", CONNECTED_AGENTS="99") as hub:
        people = People(hub, await free_tenant(hub), stack)
        for n in range(5):
            await people.connect(f"agent-{n}")
        with pytest.raises(InvalidStatus) as refused:
            await people.connect("one too many")
        assert refused.value.response.status_code == 429
        unlimited = People(hub, hub.keys, stack)
        await asyncio.gather(*(unlimited.join(f"agent-{n}") for n in range(40)))


async def test_a_key_has_its_rate_over_http(tmp_path: Path) -> None:
    async with small_hub(tmp_path, KEY_RATE="6/minute") as hub, httpx.AsyncClient(base_url=hub.http_url) as http:
        acme, globex = await free_tenant(hub), await free_tenant(hub, "globex")
        answers = [await http.get("/api/v1/keys", headers=bearer(acme.admin_key)) for _ in range(8)]
        assert [answer.status_code for answer in answers] == [200] * 6 + [429] * 2
        assert answers[-1].json()["error"] == "rate_limited"
        assert (await http.get("/api/v1/keys", headers=bearer(globex.admin_key))).status_code == 200
        for _ in range(70):
            assert (await http.get("/api/v1/keys", headers=bearer(hub.keys.admin_key))).status_code == 200


async def test_d32_the_check_of_keys_is_limited(tmp_path: Path) -> None:
    async with small_hub(tmp_path) as hub, httpx.AsyncClient(base_url=hub.http_url) as http:
        answers = [await http.get("/api/connect/check", headers=bearer(hub.keys.agent_key)) for _ in range(12)]
        assert [answer.status_code for answer in answers] == [200] * 10 + [429] * 2


async def test_challenges_are_limited_for_an_address_and_for_an_agent(tmp_path: Path) -> None:
    few = {"RINGFORGE__LIMITS__CHALLENGES_PER_ADDRESS": "5/minute"}
    async with running_hub(tmp_path, settings=few) as hub, httpx.AsyncClient(base_url=hub.http_url) as http:
        answers = [await http.post("/api/auth/challenge", json={"agent_id": f"ag_{n}"}) for n in range(7)]
        assert [answer.status_code for answer in answers] == [404] * 5 + [429] * 2


@pytest.mark.parametrize("event", ["memory:get", "made:up", "phx_join"])
async def test_who_goes_on_after_a_hundred_refusals_is_closed_and_nobody_else(
    tmp_path: Path, stack: AsyncExitStack, event: str
) -> None:
    async with small_hub(tmp_path, AGENT_RATE="3/minute") as hub:
        people = People(hub, await free_tenant(hub), stack)
        insistent, patient = await people.join("insistent"), await people.join("patient")
        for _ in range(2):
            await insistent.call(event, {"key": "k"})
        for _ in range(100):
            assert (await insistent.refused(event, {"key": "k"}))["reason"] == "rate_limited"
        await insistent.send("fleet:lobby", event, {"key": "k"})
        assert await insistent.expect_close() == (
            1008, "too many events after rate_limited: wait for retry_after_ms"
        )  # fmt: skip
        assert (await patient.call("memory:get", {"key": "k"})).response["reason"] == "not_found"
