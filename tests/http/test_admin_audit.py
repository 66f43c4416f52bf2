"""Every deed of an administrator is in the audit log: who, what, from where; and only theirs."""

from __future__ import annotations

import pytest
from admin_client import Admin
from admin_routes import Belongings, routes

from ringforge_core.testkit.hub import TestHub

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("hub", ["sqlite"], indirect=True),  # no query here is a new one
]

DEEDS = {
    "tenants_change": "tenant.updated",
    "keys_create": "api_key.created",
    "keys_rotate": "api_key.rotated",
    "keys_revoke": "api_key.revoked",
    "fleets_create": "fleet.created",
    "fleets_change_patch": "fleet.updated",
    "fleets_change_put": "fleet.updated",
    "fleets_remove": "fleet.deleted",
    "fleets_agents_move": "agent.moved",
    "agents_change_patch": "agent.updated",
    "agents_change_put": "agent.updated",
    "agents_remove": "agent.deleted",
    "agents_fleet_admin_grant": "agent.fleet_admin_granted",
    "agents_fleet_admin_revoke": "agent.fleet_admin_revoked",
    "fleets_squads_create": "group.created",
    "squads_agents_assign": "group.member_added",
    "squads_agents_remove": "group.member_removed",
}
NOTHING_TO_TELL = {"agents_cleanup_clean_up"}  # when it finds nobody to delete


async def test_every_writing_route_leaves_one_entry_that_says_who_did_it_from_where(hub: TestHub) -> None:
    writing = [route for route in await routes(hub) if route.method != "GET"]
    assert {route.name for route in writing} == DEEDS.keys() | NOTHING_TO_TELL, "name the deed of each route"
    for number, route in enumerate(route for route in writing if route.name in DEEDS):
        async with Admin(hub, await hub.tenant(f"tenant-{number}")) as admin:
            belongings = Belongings(admin)
            await belongings.make()
            ids = belongings.ids_for(route)
            if route.name == "squads_agents_assign":
                await admin.ok("DELETE", route.path.format(**ids))
            before = await admin.ok("GET", "/audit")
            answer = await admin.http.request(route.method, route.path.format(**ids), json=route.body)
            assert answer.is_success, answer.text
            after = (await admin.ok("GET", "/audit"))["entries"]
            new = [entry for entry in after if entry["seq"] > before["entries"][0]["seq"]]
            assert [entry["action"] for entry in new] == [DEEDS[route.name]], route.name
            (own,) = [key["id"] for key in (await admin.ok("GET", "/keys"))["keys"] if key["type"] == "admin"]
            assert (new[0]["actor_type"], new[0]["actor_id"], new[0]["ip_address"]) == ("key", own, "127.0.0.1")
            assert "rf_" not in str(new[0]).replace(new[0]["metadata"].get("prefix", "-"), "")


async def test_what_is_refused_is_no_deed(acme: Admin) -> None:
    await acme.ok("POST", "/fleets", {"name": "night"}, status=201)
    before = await acme.ok("GET", "/audit")
    await acme.refused("POST", "/fleets", {"name": "night"}, status=409)
    await acme.refused("DELETE", "/keys/none", status=404)
    await acme.refused("PATCH", f"/tenants/{acme.keys.tenant_id}", {"plan": "pro"}, status=403)
    assert await acme.ok("GET", "/audit") == before


async def test_the_log_is_read_by_action(acme: Admin) -> None:
    await acme.ok("POST", "/fleets", {"name": "night"}, status=201)
    key = await acme.ok("POST", "/keys", {}, status=201)
    found = await acme.ok("GET", "/audit?action=api_key.created")
    assert found["entries"][0]["target_id"] == key["id"]
    assert {entry["action"] for entry in found["entries"]} == {"api_key.created"}
    assert (await acme.ok("GET", "/audit?action=no.such"))["entries"] == []
