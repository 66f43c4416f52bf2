"""The OpenAPI document: valid, complete, and true, as a foreign tester finds."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from admin_client import Admin
from openapi_spec_validator import OpenAPIV31SpecValidator

from ringforge_core.testkit.hub import TestHub, running_hub
from ringforge_core.testkit.phoenix_client import PhoenixClient

UNLIMITED = {f"RINGFORGE__LIMITS__{name}_PER_ADDRESS": "off" for name in ("FAILURES", "CHECKS", "CHALLENGES")}
CONFIGURATION = """\
headers = {{ Authorization = "Bearer {key}" }}
workers = 2

[phases]
stateful.enabled = false

[generation]
database = "none"
max-examples = 5
deterministic = true
# Parameters that a route does not know are ignored, so that a client may be newer than the hub.
allow-extra-parameters = false

[checks]
# That an instant lies in the future, or that a cursor came from a page, no schema can say.
positive_data_acceptance.enabled = false
# Litestar answers OPTIONS with the methods of the first handler of a path only.
allow_header_conformance.enabled = false

[parameters]
tenant_id = "{tenant_id}"
fleet_id = "{fleet_id}"
agent_id = "{agent_id}"
squad_id = "{squad_id}"
key_id = "{key_id}"
"""


async def document(hub: TestHub) -> dict[str, Any]:
    async with httpx.AsyncClient() as http:
        answer: dict[str, Any] = (await http.get(f"{hub.http_url}/api/schema/openapi.json")).json()
    return answer


@pytest.fixture
async def hub(tmp_path: Path) -> Any:
    """One database is enough for what is generated."""
    async with running_hub(tmp_path, settings=UNLIMITED) as running:
        yield running


async def test_the_document_is_valid(hub: TestHub) -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(await document(hub)).iter_errors()] == []


async def test_every_operation_says_what_it_does_who_may_and_how_it_fails(hub: TestHub) -> None:
    described = await document(hub)
    operations = [
        (f"{method} {path}", operation) for path, item in described["paths"].items() for method, operation in item.items()
    ]
    assert len(operations) > 20
    names = [operation["operationId"] for _, operation in operations]
    assert sorted(set(names)) == sorted(names)
    known = {tag["name"] for tag in described["tags"]}
    for name, operation in operations:
        assert operation["summary"] != operation["operationId"].title(), name
        assert set(operation.get("tags", ["none"])) <= known, f"{name} stands under no heading of the page"
        statuses = {int(status): response for status, response in operation["responses"].items()}
        assert all(response["description"] for response in statuses.values()), name
        assert not any("follows" in response["description"] for response in statuses.values()), (
            f"{name}: say what is answered"
        )
        if "/api/v1/" in name:
            assert {400, 401, 403, 429, 503} <= statuses.keys(), name
            assert ("{" in name) <= (404 in statuses), name
            assert operation["security"] == [{"admin_key": []}], name
            errors = [response["content"]["application/json"] for status, response in statuses.items() if status >= 400]
            assert all(error["schema"] == {"$ref": "#/components/schemas/ApiError"} for error in errors), name


async def test_every_writing_route_takes_an_idempotency_key(hub: TestHub) -> None:
    for path, item in (await document(hub))["paths"].items():
        for method, operation in item.items():
            if path.startswith("/api/v1/") and method != "get":
                headers = {each["name"].lower() for each in operation.get("parameters", ()) if each["in"] == "header"}
                assert "idempotency-key" in headers, f"{method} {path}"


@pytest.mark.timeout(200)
async def test_a_foreign_tester_finds_no_answer_that_the_document_does_not_name(hub: TestHub, tmp_path: Path) -> None:
    """schemathesis calls every route with good and bad data: never a 500, never another shape."""
    keys = await hub.tenant("acme")
    async with Admin(hub, keys) as acme:
        async with PhoenixClient(hub.websocket_url, api_key=keys.agent_key, agent={"name": "scout"}) as scout:
            agent_id = (await scout.join())["agent_id"]
        squad = await acme.ok("POST", f"/fleets/{keys.fleet_id}/squads", {"name": "night shift"}, status=201)
        key = await acme.ok("POST", "/keys", {}, status=201)
    (tmp_path / "schemathesis.toml").write_text(
        CONFIGURATION.format(
            key=keys.admin_key, tenant_id=keys.tenant_id, fleet_id=keys.fleet_id,
            agent_id=agent_id, squad_id=squad["id"], key_id=key["id"],
        )
    )  # fmt: skip
    program = Path(sys.executable).with_name("schemathesis")
    arguments = [
        "run",
        f"{hub.http_url}/api/schema/openapi.json",
        "--max-time=30",
        "--continue-on-failure",
        "--no-color",
    ]
    tester = await asyncio.create_subprocess_exec(
        program, *arguments, cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(180):
            output, _ = await tester.communicate()
    finally:
        if tester.returncode is None:
            tester.kill()
    report = output.decode()
    assert tester.returncode == 0, report
