"""Fleets and squads over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from admin_client import Admin

from ringforge_core.testkit.hub import TestHub, running_hub
from ringforge_core.testkit.phoenix_client import PhoenixClient

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def joined(hub: TestHub, admin: Admin, name: str, key: str | None = None) -> str:
    """The id of an agent that was there."""
    agent = PhoenixClient(hub.websocket_url, api_key=key or admin.keys.agent_key, agent={"name": name})
    async with agent as there:
        agent_id: str = (await there.join())["agent_id"]
    return agent_id


async def test_a_fleet_is_made_changed_and_deleted(acme: Admin) -> None:
    made = await acme.ok("POST", "/fleets", {"name": "night", "description": "After dark.\nOnly."}, status=201)
    changed = await acme.ok("PATCH", f"/fleets/{made['id']}", {"description": None})
    assert changed == made | {"description": None, "updated_at": changed["updated_at"]}
    assert (await acme.ok("PUT", f"/fleets/{made['id']}", {"name": "day"}))["name"] == "day"
    names = [fleet["name"] for fleet in (await acme.ok("GET", "/fleets"))["fleets"]]
    assert names == ["day", "default"]
    assert await acme.ok("DELETE", f"/fleets/{made['id']}") == {"id": made["id"], "deleted": True}
    await acme.refused("GET", f"/fleets/{made['id']}", status=404)


async def test_a_fleet_that_is_needed_is_not_deleted(hub: TestHub, acme: Admin) -> None:
    own = f"/fleets/{acme.keys.fleet_id}"
    error = await acme.refused("DELETE", own, status=409)
    assert (error["error"], error["because"]) == ("conflict", "last_fleet")
    await acme.ok("POST", "/fleets", {"name": "other"}, status=201)
    await joined(hub, acme, "scout")
    error = await acme.refused("DELETE", own, status=409)
    assert (error["error"], error["because"]) == ("conflict", "has_agents")


async def test_a_name_is_used_once_in_a_tenant(acme: Admin, globex: Admin) -> None:
    await acme.ok("POST", "/fleets", {"name": "night"}, status=201)
    await acme.refused("POST", "/fleets", {"name": "night"}, status=409)
    await acme.refused("PATCH", f"/fleets/{acme.keys.fleet_id}", {"name": "night"}, status=409)
    await globex.ok("POST", "/fleets", {"name": "night"}, status=201)


@pytest.mark.parametrize("wrong", [{}, {"name": ""}, {"name": 7}, {"name": "a\x00"}, {"name": "x" * 101}, [], "x", None])
async def test_a_fleet_that_makes_no_sense_is_refused(acme: Admin, wrong: Any) -> None:
    error = await acme.refused("POST", "/fleets", wrong, status=400)
    assert error["error"] in ("validation_failed", "bad_request")


async def test_a_plan_without_another_fleet_refuses_it(tmp_path: Path) -> None:
    settings = {"RINGFORGE__LIMITS__UNLIMITED__FLEETS": "2"}
    async with running_hub(tmp_path, settings=settings) as hub, Admin(hub, hub.keys) as admin:
        await admin.ok("POST", "/fleets", {"name": "second"}, status=201)
        error = await admin.refused("POST", "/fleets", {"name": "third"}, status=403)
        assert (error["error"], error["resource"]) == ("quota_exceeded", "fleets")


async def test_a_fleet_is_shown_with_its_agents_and_squads(hub: TestHub, acme: Admin) -> None:
    own = f"/fleets/{acme.keys.fleet_id}"
    scout, builder = await joined(hub, acme, "scout"), await joined(hub, acme, "builder")
    squad = await acme.ok("POST", f"{own}/squads", {"name": "maps", "capabilities": ["draw"]}, status=201)
    assert squad | {"id": "", "group_id": ""} == {
        "id": "", "group_id": "", "name": "maps", "type": "squad", "fleet_id": acme.keys.fleet_id,
        "capabilities": ["draw"], "status": "active",
    }  # fmt: skip
    placed = await acme.ok("POST", f"/squads/{squad['id']}/agents/{scout}")
    assert (placed["squad_id"], placed["fleet_id"]) == (squad["id"], acme.keys.fleet_id)
    shown = await acme.until(own, lambda fleet: fleet["connected_agents"] == 0)
    assert {agent["agent_id"]: agent["squad_id"] for agent in shown["agents"]} == {scout: squad["id"], builder: None}
    (overview,) = shown["squads"]
    assert (overview["id"], overview["member_count"], overview["agents"]) == (
        squad["id"], 1, [{"agent_id": scout, "role": "owner"}],
    )  # fmt: skip
    assert (shown["agent_count"], shown["squad_count"]) == (2, 1)
    placed = await acme.ok("DELETE", f"/squads/{squad['id']}/agents/{scout}")
    assert placed["squad_id"] is None
    await acme.refused("DELETE", f"/squads/{squad['id']}/agents/{scout}", status=404)


async def test_d05_squads_and_agents_of_another_fleet_or_tenant_do_not_meet(
    hub: TestHub, acme: Admin, globex: Admin
) -> None:
    ours = await acme.ok("POST", f"/fleets/{acme.keys.fleet_id}/squads", {"name": "maps"}, status=201)
    theirs = await globex.ok("POST", f"/fleets/{globex.keys.fleet_id}/squads", {"name": "maps"}, status=201)
    other = await acme.ok("POST", "/fleets", {"name": "other"}, status=201)
    key = await acme.ok("POST", "/keys", {"fleet_id": other["id"]}, status=201)
    scout = await joined(hub, acme, "scout")
    elsewhere = await joined(hub, acme, "elsewhere", key["key"])
    stranger = await joined(hub, globex, "stranger")
    await globex.ok("POST", f"/squads/{theirs['id']}/agents/{stranger}")
    error = await acme.refused("POST", f"/squads/{ours['id']}/agents/{elsewhere}", status=400)
    assert error["error"] == "fleet_mismatch"
    await acme.refused("POST", f"/squads/{ours['id']}/agents/{stranger}", status=404)
    await acme.refused("POST", f"/squads/{theirs['id']}/agents/{scout}", status=404)
    await acme.refused("DELETE", f"/squads/{theirs['id']}/agents/{stranger}", status=404)
    (squad,) = (await globex.ok("GET", f"/fleets/{globex.keys.fleet_id}"))["squads"]
    assert squad["agents"] == [{"agent_id": stranger, "role": "owner"}]
