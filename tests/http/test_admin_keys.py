"""Keys over HTTP: made, listed, replaced, ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from admin_client import Admin

from ringforge_core.testkit.hub import TestHub
from ringforge_core.testkit.phoenix_client import PhoenixClient

pytestmark = pytest.mark.asyncio(loop_scope="module")


def agent(hub: TestHub, key: str, name: str) -> PhoenixClient:
    return PhoenixClient(hub.websocket_url, api_key=key, agent={"name": name})


async def test_d26_a_key_is_shown_once_and_can_be_told_apart_afterwards(hub: TestHub, acme: Admin) -> None:
    made = await acme.ok("POST", "/keys", {"name": "ci", "type": "test"}, status=201)
    assert made["key"].startswith(made["prefix"])
    listed = await acme.ok("GET", "/keys")
    assert made["key"] not in str(listed)
    (entry,) = [key for key in listed["keys"] if key["id"] == made["id"]]
    assert entry == {name: made[name] for name in entry}
    async with agent(hub, made["key"], "builder") as builder:
        assert (await builder.join())["fleet_id"] == acme.keys.fleet_id


async def test_d03_a_key_for_another_tenants_fleet_is_not_made(acme: Admin, globex: Admin) -> None:
    before = await acme.ok("GET", "/keys")
    error = await acme.refused("POST", "/keys", {"fleet_id": globex.keys.fleet_id}, status=404)
    assert error["error"] == "not_found"
    assert await acme.ok("GET", "/keys") == before


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"type": "root"}, "type"),
        ({"expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "2999-01-01T00:00:00"}, "expires_at"),
        ({"name": ""}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"fleet_id": 7}, "fleet_id"),
    ],
)
async def test_d91_a_key_that_makes_no_sense_is_refused_with_the_field_that_is_wrong(
    acme: Admin, wrong: dict[str, Any], field: str
) -> None:
    error = await acme.refused("POST", "/keys", wrong, status=400)
    named = {detail["field"] for detail in error.get("details", ())} | {error.get("field")}
    assert field in named
    assert error["fix"]


async def test_a_revoked_key_opens_nothing_and_its_connections_end(hub: TestHub, acme: Admin) -> None:
    made = await acme.ok("POST", "/keys", {}, status=201)
    async with agent(hub, made["key"], "builder") as builder:
        await builder.join()
        assert await acme.ok("DELETE", f"/keys/{made['id']}") == {"id": made["id"], "revoked": True}
        assert (await builder.expect_close())[0] == 1008
    assert made["id"] not in {key["id"] for key in (await acme.ok("GET", "/keys"))["keys"]}


async def test_a_replaced_key_works_for_the_grace_period_beside_the_new_one(hub: TestHub, acme: Admin) -> None:
    old = await acme.ok("POST", "/keys", {"name": "ci", "type": "test", "fleet_id": acme.keys.fleet_id}, status=201)
    new = await acme.ok("POST", f"/keys/{old['id']}/rotate", {"grace_hours": 2}, status=201)
    assert {name: new[name] for name in ("type", "name", "fleet_id")} == {
        "type": "test", "name": "ci", "fleet_id": acme.keys.fleet_id,
    }  # fmt: skip
    assert new["key"] != old["key"]
    ends = datetime.fromisoformat(new["replaces"]["expires_at"])
    assert abs(ends - datetime.now(UTC) - timedelta(hours=2)) < timedelta(minutes=1)
    for key in (old["key"], new["key"]):
        async with agent(hub, key, "builder") as builder:
            await builder.join()


async def test_a_day_is_the_grace_period_when_none_is_said_and_no_body_is_needed(acme: Admin) -> None:
    old = await acme.ok("POST", "/keys", {}, status=201)
    new = await acme.ok("POST", f"/keys/{old['id']}/rotate", status=201)
    ends = datetime.fromisoformat(new["replaces"]["expires_at"])
    assert abs(ends - datetime.now(UTC) - timedelta(hours=24)) < timedelta(minutes=1)


async def test_a_key_that_is_replaced_at_once_ends_its_connections(hub: TestHub, acme: Admin) -> None:
    old = await acme.ok("POST", "/keys", {}, status=201)
    async with agent(hub, old["key"], "builder") as builder:
        await builder.join()
        await acme.ok("POST", f"/keys/{old['id']}/rotate", {"grace_hours": 0}, status=201)
        assert (await builder.expect_close())[0] == 1008
    await acme.refused("POST", f"/keys/{old['id']}/rotate", status=404)


async def test_a_replacement_never_makes_the_old_key_live_longer(acme: Admin) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    old = await acme.ok("POST", "/keys", {"expires_at": soon}, status=201)
    new = await acme.ok("POST", f"/keys/{old['id']}/rotate", {"grace_hours": 720}, status=201)
    assert datetime.fromisoformat(new["replaces"]["expires_at"]) == datetime.fromisoformat(soon)


async def test_an_admin_replaces_the_key_that_they_use(hub: TestHub, acme: Admin) -> None:
    (own,) = [key["id"] for key in (await acme.ok("GET", "/keys"))["keys"] if key["type"] == "admin"]
    new = await acme.ok("POST", f"/keys/{own}/rotate", {"grace_hours": 0}, status=201)
    await acme.refused("GET", "/keys", status=401)
    async with httpx.AsyncClient(base_url=hub.http_url, headers={"Authorization": f"Bearer {new['key']}"}) as renewed:
        assert (await renewed.get("/api/v1/keys")).status_code == 200
