"""The tenant itself: its name, its plan, what it used."""

from __future__ import annotations

import httpx
import pytest
from admin_client import Admin

from ringforge_core.testkit.hub import TestHub
from ringforge_core.testkit.phoenix_client import PhoenixClient

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("hub", ["sqlite"], indirect=True),  # no query here is a new one
]


async def test_a_tenant_is_renamed_by_its_administrator(acme: Admin) -> None:
    own = f"/tenants/{acme.keys.tenant_id}"
    before = await acme.ok("GET", own)
    changed = await acme.ok("PATCH", own, {"name": "Acme & Söhne"})
    assert changed == before | {"name": "Acme & Söhne", "updated_at": changed["updated_at"]}
    assert changed["updated_at"] > before["updated_at"]
    assert await acme.ok("GET", own) == changed
    assert await acme.ok("PATCH", own, {}) == changed


async def test_d16_a_tenant_does_not_choose_its_own_plan(acme: Admin) -> None:
    own = f"/tenants/{acme.keys.tenant_id}"
    before = await acme.ok("GET", own)
    for plan in ("enterprise", before["plan"]):
        error = await acme.refused("PATCH", own, {"name": "x", "plan": plan}, status=403)
        assert error["error"] == "forbidden"
    assert await acme.ok("GET", own) == before


async def test_usage_counts_what_is_there(hub: TestHub, acme: Admin) -> None:
    async with PhoenixClient(hub.websocket_url, api_key=acme.keys.agent_key, agent={"name": "scout"}) as scout:
        await scout.join()
        await scout.ok("activity:broadcast", {"kind": "discovery"})
        await scout.ok("memory:set", {"key": "k", "value": 1})
        usage = await acme.ok("GET", f"/tenants/{acme.keys.tenant_id}/usage")
    assert usage["tenant_id"] == acme.keys.tenant_id
    used = {resource: each["used"] for resource, each in usage["usage"].items()}
    assert used == {"messages_today": 1, "memory_entries": 1, "connected_agents": 1, "fleets": 1, "storage_bytes": 0}
    assert {each["limit"] for each in usage["usage"].values()} == {"unlimited"}


async def test_d15_an_admin_key_is_not_the_operators_token(hub: TestHub, acme: Admin) -> None:
    async with httpx.AsyncClient(base_url=hub.http_url, headers=acme.http.headers) as http:
        answer = await http.get("/metrics", headers={"x-forwarded-for": "203.0.113.9"})
    assert answer.status_code == 401
