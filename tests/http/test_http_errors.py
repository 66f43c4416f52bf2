"""Whatever goes wrong, the answer has one shape; and a newcomer learns what is wrong with a key."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from admin_client import Admin

from ringforge_core.testkit.hub import TestHub

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("hub", ["sqlite"], indirect=True),  # no query here is a new one
]


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "code"),
    [
        ("GET", "/nothing/here", b"", 404, "not_found"),
        ("DELETE", "/fleets", b"", 405, "method_not_allowed"),
        ("POST", "/fleets", b'{"name":', 400, None),
        ("POST", "/fleets", b"\xff", 400, None),
        ("POST", "/fleets", b'{"name": "\\ud800"}', 400, None),
        ("POST", "/fleets", b'{"name": "' + b"x" * 1_100_000 + b'"}', 413, "payload_too_large"),
        ("POST", "/fleets", b"[" * 100_000, 400, None),
        ("POST", "/fleets", b"", 400, None),
    ],
    ids=["path", "method", "half", "not-utf-8", "half-a-pair", "too-large", "too-deep", "empty"],
)
async def test_d91_what_is_no_request_is_answered_in_the_one_shape(
    acme: Admin, method: str, path: str, content: bytes, status: int, code: str | None
) -> None:
    answer = await acme.http.request(method, path, content=content, headers={"content-type": "application/json"})
    assert answer.status_code == status, answer.text
    error = answer.json()
    assert error["message"]
    assert code in (error["error"], None)
    assert "Traceback" not in answer.text
    assert "/" not in error["message"], "neither a path nor an address is told"
    assert (await acme.ok("GET", "/fleets"))["count"] == 1


@pytest.mark.parametrize(
    ("path", "parameter", "fix"),
    [
        ("/agents?fleet=x", "fleet", "Did you mean 'fleet_id'?"),
        ("/keys?limt=5", "limt", "Did you mean 'limit'?"),
        ("/fleets?tenant_id=x", "tenant_id", "Use one of: limit, cursor."),
        ("/agents/ag_1?verbose=1", "verbose", "Leave it out: this route takes none."),
    ],
)
async def test_a_parameter_that_is_misspelt_is_refused_with_the_nearest(
    acme: Admin, path: str, parameter: str, fix: str
) -> None:
    error = await acme.refused("GET", path, status=400)
    assert (error["error"], error["field"], error["fix"]) == ("invalid_payload", parameter, fix)


async def test_nobody_on_the_way_may_keep_a_key(acme: Admin) -> None:
    made = await acme.http.post("/keys", json={})
    assert made.headers["cache-control"] == "no-store"
    assert (await acme.http.get("/keys")).headers["cache-control"] == "no-store"


async def test_a_newcomer_learns_what_is_wrong_with_a_key(hub: TestHub, acme: Admin) -> None:
    async def check(bearer: str | None, **query: str) -> Any:
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        async with httpx.AsyncClient(base_url=hub.http_url, headers=headers) as http:
            answer = await http.get("/api/connect/check", params=query)
        assert answer.status_code == 200
        return answer.json()

    assert (await check(None))["error"] == "missing_api_key"
    assert (await check("rf_live_short"))["error"] == "invalid_key_format"
    assert (await check("rf_live_" + "0" * 32))["error"] == "auth_failed"
    assert (await check(acme.keys.admin_key))["error"] == "wrong_key_type"
    good = await check(acme.keys.agent_key)
    assert good["ok"] is True
    assert good["tenant"]["name"].startswith("acme ")
    assert good["fleet"]["id"] == acme.keys.fleet_id
    assert good["websocket"]["url"] == f"{hub.websocket_url}/ws/websocket"
    assert await check(None, api_key=acme.keys.agent_key) == await check(None, key=acme.keys.agent_key) == good


async def test_settings_of_any_depth_are_taken_or_refused(acme: Admin) -> None:
    squads = f"/fleets/{acme.keys.fleet_id}/squads"
    for depth in (10, 30, 500, 900, 990, 2_000, 7_000):
        content = b'{"name": "depth %d", "settings": {"deep": %b%b}}' % (depth, b"[" * depth, b"]" * depth)
        answer = await acme.http.post(squads, content=content, headers={"content-type": "application/json"})
        assert answer.status_code in (201, 400, 413), f"{depth}: {answer.text}"
        shown = await acme.http.get(f"/fleets/{acme.keys.fleet_id}")
        assert shown.status_code == 200, shown.text
