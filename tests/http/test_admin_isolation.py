"""Every route of the document is called with a second tenant's ids: a new route without isolation fails here."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from admin_client import Admin

from ringforge_core.testkit.hub import TestHub
from ringforge_core.testkit.phoenix_client import PhoenixClient

BODIES: dict[str, Any] = {
    "ChangeTenant": {"name": "taken"},
    "CreateKey": {},
    "RotateKey": {"grace_hours": 0},
    "CreateFleet": {"name": "taken"},
    "ChangeFleet": {"name": "taken"},
    "ChangeAgent": {"name": "taken"},
    "CreateSquad": {"name": "taken"},
}
"""A good body for each route that takes one, by the name of its schema."""


class Route:
    def __init__(self, method: str, path: str, operation: dict[str, Any]) -> None:
        self.method = method.upper()
        self.path = path.removeprefix("/api/v1")
        self.ids = [each["name"] for each in operation["parameters"] if each["in"] == "path"]
        self.secured = operation.get("security", [])
        content = operation.get("requestBody", {}).get("content", {})
        schema = str(next(iter(content.values()), {}).get("schema", ""))
        names = [name for name in BODIES if f"/{name}'" in schema]
        assert bool(content) == bool(names), f"give {method} {path} a body in BODIES"
        self.body = BODIES[names[0]] if names else None


async def routes(hub: TestHub) -> list[Route]:
    """The routes of the administration."""
    async with httpx.AsyncClient() as http:
        document = (await http.get(f"{hub.http_url}/api/schema/openapi.json")).json()
    return [
        Route(method, path, {"parameters": [], **operation})
        for path, item in document["paths"].items()
        if path.startswith("/api/v1/")
        for method, operation in item.items()
    ]


class Belongings:
    """One of everything that a tenant can have; `ids` maps the names of path parameters to its id."""

    def __init__(self, admin: Admin) -> None:
        self.admin = admin
        self.ids: dict[str, str] = {}
        self.secrets: set[str] = set()

    async def make(self) -> None:
        keys, admin = self.admin.keys, self.admin
        name = f"of-{keys.tenant_id[:8]}"
        url = admin.hub.websocket_url
        async with PhoenixClient(url, api_key=keys.agent_key, agent={"name": name, "framework": name}) as client:
            agent_id = (await client.join())["agent_id"]
        key = await admin.ok("POST", "/keys", {"name": name}, status=201)
        squad = await admin.ok("POST", f"/fleets/{keys.fleet_id}/squads", {"name": name}, status=201)
        await admin.ok("POST", f"/squads/{squad['id']}/agents/{agent_id}")
        await admin.ok("POST", "/fleets", {"name": name, "description": name}, status=201)
        self.ids = {
            "tenant_id": keys.tenant_id,
            "key_id": key["id"],
            "fleet_id": keys.fleet_id,
            "agent_id": agent_id,
            "squad_id": squad["id"],
        }
        self.secrets = {name, *self.ids.values(), squad["group_id"]}

    async def seen(self) -> list[Any]:
        """All that the tenant sees of its own."""
        paths = ["/keys", "/agents", "/fleets", f"/fleets/{self.admin.keys.fleet_id}", "/audit"]
        return [await self.admin.ok("GET", path) for path in paths]


@pytest.fixture
async def ours(acme: Admin) -> Belongings:
    belongings = Belongings(acme)
    await belongings.make()
    return belongings


@pytest.fixture
async def theirs(globex: Admin) -> Belongings:
    belongings = Belongings(globex)
    await belongings.make()
    return belongings


async def test_every_route_with_another_tenants_ids_finds_nothing_tells_nothing_changes_nothing(
    hub: TestHub, ours: Belongings, theirs: Belongings
) -> None:
    """D-03, D-04, D-05, D-08: one foreign id among good ones is enough to be refused."""
    before = await theirs.seen()
    for route in await routes(hub):
        assert route.ids == [name for name in route.ids if name in ours.ids], f"{route.path}: add an id to Belongings"
        for foreign in route.ids:
            path = route.path.format(**ours.ids | {foreign: theirs.ids[foreign]})
            answer = await ours.admin.http.request(route.method, path, json=route.body)
            assert answer.status_code == 404, f"{route.method} {path}: {answer.text}"
            assert not {secret for secret in theirs.secrets if secret in answer.text}, answer.text
    assert await theirs.seen() == before


async def test_no_list_shows_what_another_tenant_has(hub: TestHub, ours: Belongings, theirs: Belongings) -> None:
    lists = [route for route in await routes(hub) if route.method == "GET"]
    assert len(lists) > 5
    for route in lists:
        answer = await ours.admin.http.get(route.path.format(**ours.ids))
        assert answer.status_code == 200, answer.text
        assert not {secret for secret in theirs.secrets if secret in answer.text}, answer.text
    filtered = await ours.admin.ok("GET", f"/agents?fleet_id={theirs.ids['fleet_id']}")
    assert filtered["agents"] == []


async def test_every_route_is_for_administrators_only(hub: TestHub, ours: Belongings) -> None:
    """D-33: the same answers whatever the path and the body are, so nothing is told before the key is known."""
    ends = {None: 401, "rf_admin_00000000000000000000000000000000": 401, ours.admin.keys.agent_key: 403}
    for route in await routes(hub):
        assert route.secured, f"{route.method} {route.path} does not say that it needs a key"
        for key, status in ends.items():
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            async with httpx.AsyncClient(base_url=f"{hub.http_url}/api/v1", headers=headers) as stranger:
                path = route.path.format(**ours.ids)
                answer = await stranger.request(route.method, path, json=route.body)
                assert answer.status_code == status, f"{route.method} {path}: {answer.text}"
                assert answer.json()["error"] in ("missing_authorization", "invalid_api_key", "forbidden")


STRANGE_IDS = ["7", "%00", "%20", "..%2f", "'or'1'='1", "x" * 500, "ü", "%ff"]


async def test_d91_an_id_of_any_form_that_is_none_is_not_found(hub: TestHub, ours: Belongings) -> None:
    cases = [(route, name, wrong) for route in await routes(hub) for name in route.ids for wrong in STRANGE_IDS]
    assert len(cases) > 100
    for route, name, wrong in cases:
        path = route.path.format(**ours.ids | {name: wrong})
        answer = await ours.admin.http.request(route.method, path, json=route.body)
        assert answer.status_code in (404, 405), f"{route.method} {path}: {answer.status_code} {answer.text}"
