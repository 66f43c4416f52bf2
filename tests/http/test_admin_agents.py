"""Agents over HTTP: seen, changed, moved, deleted."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from admin_client import Admin

from ringforge_core.testkit.hub import TestHub
from ringforge_core.testkit.phoenix_client import PhoenixClient

pytestmark = pytest.mark.asyncio(loop_scope="module")


def client(hub: TestHub, admin: Admin, name: str | None) -> PhoenixClient:
    return PhoenixClient(hub.websocket_url, api_key=admin.keys.agent_key, agent={"name": name} if name else {})


async def test_agents_are_listed_with_what_they_do_now(hub: TestHub, acme: Admin) -> None:
    async with client(hub, acme, "scout") as scout, client(hub, acme, "builder") as builder:
        joined = await scout.join({"payload": {"state": "busy", "task": "looking around", "load": 0.5}})
        await builder.join()
        listed = await acme.ok("GET", "/agents")
        assert [agent["name"] for agent in listed["agents"]] == ["builder", "scout"]
        assert listed["count"] == 2
        shown = listed["agents"][1]
        assert (shown["fleet_id"], shown["fleet_name"]) == (acme.keys.fleet_id, "default")
        assert shown["online"]
        assert shown["presence"] | {"connected_at": ""} == {
            "state": "busy", "task": "looking around", "load": 0.5, "connected_at": "",
        }  # fmt: skip
        assert await acme.ok("GET", f"/agents/{joined['agent_id']}") == shown
        assert await acme.ok("GET", f"/agents/{shown['id']}") == shown
    gone = await acme.until(f"/agents/{shown['id']}", lambda agent: not agent["online"])
    assert gone["presence"] is None
    assert gone["last_seen_at"] is not None


async def test_a_list_is_read_page_by_page_without_a_gap_or_a_double(hub: TestHub, acme: Admin) -> None:
    for number in range(7):
        await acme.ok("POST", "/fleets", {"name": f"fleet {number}"}, status=201)
        await acme.ok("POST", "/keys", {"name": f"key {number}"}, status=201)
        async with client(hub, acme, f"agent {number}") as agent:
            await agent.join()
    for path, items in (("/fleets", "fleets"), ("/keys", "keys"), ("/agents", "agents"), ("/audit", "entries")):
        everything = await acme.ok("GET", path)
        assert everything["next_cursor"] is None
        pages: list[Any] = []
        cursor = ""
        while cursor is not None:
            page = await acme.ok("GET", f"{path}?limit=3" + (f"&cursor={cursor}" if cursor else ""))
            assert page["count"] == len(page[items]) <= 3
            pages += page[items]
            cursor = page["next_cursor"]
        assert len(pages) >= 7
        assert [_still(item) for item in pages] == [_still(item) for item in everything[items]]


def _still(item: dict[str, Any]) -> dict[str, Any]:
    """Without what changes from one moment to the next."""
    return {name: value for name, value in item.items() if name not in ("online", "presence", "last_seen_at")}


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "cursor=%00", "cursor=bm9uc2Vuc2U=", "cursor=-1"])
async def test_d91_a_page_that_is_none_is_refused(acme: Admin, query: str) -> None:
    for path in ("/agents", "/keys", "/fleets", "/audit"):
        error = await acme.refused("GET", f"{path}?{query}", status=400)
        assert error["error"] in ("validation_failed", "invalid_cursor")


async def test_an_agent_is_changed_and_its_fleet_is_told(hub: TestHub, acme: Admin) -> None:
    async with client(hub, acme, "scout") as scout, client(hub, acme, "builder") as builder:
        agent_id = (await scout.join())["agent_id"]
        await builder.join()
        changed = await acme.ok("PATCH", f"/agents/{agent_id}", {"name": "ranger", "capabilities": ["maps"]})
        assert (changed["name"], changed["capabilities"]) == ("ranger", ["maps"])
        told = await builder.expect_push("agent:profile_updated")
        assert told["payload"]["name"] == "ranger"
        error = await acme.refused("PUT", f"/agents/{agent_id}", {"name": "builder"}, status=409)
        assert error["error"] == "name_conflict"
        for wrong in ({"name": 7}, {"capabilities": "maps"}, {"framework": "x" * 101}, {"name": None}):
            error = await acme.refused("PATCH", f"/agents/{agent_id}", wrong, status=422)
            assert error["error"] == "validation_failed"
            assert error["details"][0]["field"]


async def test_d83_a_deleted_agents_socket_is_closed_and_its_name_is_free(hub: TestHub, acme: Admin) -> None:
    async with client(hub, acme, "scout") as scout:
        agent_id = (await scout.join())["agent_id"]
        assert await acme.ok("DELETE", f"/agents/{agent_id}") == {"agent_id": agent_id, "deleted": True}
        async with asyncio.timeout(5):
            assert (await scout.expect_close())[0] == 1008
    await acme.refused("GET", f"/agents/{agent_id}", status=404)
    await acme.refused("DELETE", f"/agents/{agent_id}", status=404)
    async with client(hub, acme, "scout") as again:
        assert (await again.join())["agent_id"] != agent_id


async def test_d83_a_cleanup_keeps_who_has_a_name_has_joined_or_is_on_the_way(hub: TestHub, acme: Admin) -> None:
    async with client(hub, acme, None) as joined, client(hub, acme, None), client(hub, acme, "scout"):
        await joined.join()
        cleaned = await acme.ok("POST", "/agents/cleanup")
        assert cleaned["deleted"] == 0
        assert (await acme.ok("GET", "/agents"))["count"] == 3


async def test_an_agent_administers_fleets_while_an_admin_lets_it(hub: TestHub, acme: Admin) -> None:
    async with client(hub, acme, "scout") as scout:
        agent_id = (await scout.join())["agent_id"]
        assert (await scout.refused("fleet:create", {"name": "mine"}))["reason"] == "forbidden"
        assert (await acme.ok("PUT", f"/agents/{agent_id}/fleet-admin"))["fleet_admin"] is True
        assert (await scout.ok("fleet:create", {"name": "mine"}))["payload"]["name"] == "mine"
        assert (await acme.ok("DELETE", f"/agents/{agent_id}/fleet-admin"))["fleet_admin"] is False
        assert (await scout.refused("fleet:create", {"name": "more"}))["reason"] == "forbidden"


async def test_a_moved_agent_leaves_its_old_fleet_and_finds_the_new_one(hub: TestHub, acme: Admin) -> None:
    other = await acme.ok("POST", "/fleets", {"name": "other"}, status=201)
    async with client(hub, acme, "scout") as scout:
        agent_id = (await scout.join())["agent_id"]
        placed = await acme.ok("POST", f"/fleets/{other['id']}/agents/{agent_id}")
        assert (placed["agent_id"], placed["fleet_id"], placed["squad_id"]) == (agent_id, other["id"], None)
        await scout.expect(lambda message: message.event in ("phx_close", "agent:departed"))
    assert (await acme.ok("GET", f"/agents/{agent_id}"))["fleet_name"] == "other"
    assert (await acme.ok("GET", f"/agents?fleet_id={other['id']}"))["count"] == 1
    assert (await acme.ok("GET", f"/agents?fleet_id={acme.keys.fleet_id}"))["count"] == 0
    error = await acme.refused("POST", f"/fleets/{other['id']}/agents/{agent_id}", status=409)
    assert error["error"] == "same_fleet"
