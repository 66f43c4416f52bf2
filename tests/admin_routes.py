"""All routes of the administration, as the hub's own document tells of them, and something to call each of them on."""

from __future__ import annotations

from typing import Any

import httpx
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
        self.name = operation["operationId"]
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
        self.empty_fleet_id = ""

    async def make(self) -> None:
        keys, admin = self.admin.keys, self.admin
        name = f"of-{keys.tenant_id[:8]}"
        url = admin.hub.websocket_url
        async with PhoenixClient(url, api_key=keys.agent_key, agent={"name": name, "framework": name}) as client:
            agent_id = (await client.join())["agent_id"]
        await admin.until(f"/agents/{agent_id}", lambda agent: not agent["online"])
        key = await admin.ok("POST", "/keys", {"name": name}, status=201)
        squad = await admin.ok("POST", f"/fleets/{keys.fleet_id}/squads", {"name": name}, status=201)
        await admin.ok("POST", f"/squads/{squad['id']}/agents/{agent_id}")
        empty = await admin.ok("POST", "/fleets", {"name": name, "description": name}, status=201)
        self.empty_fleet_id = empty["id"]
        self.ids = {
            "tenant_id": keys.tenant_id,
            "key_id": key["id"],
            "fleet_id": keys.fleet_id,
            "agent_id": agent_id,
            "squad_id": squad["id"],
        }
        self.secrets = {name, *self.ids.values(), squad["group_id"]}

    def ids_for(self, route: Route) -> dict[str, str]:
        """Ids with which the route succeeds: a fleet without agents is deleted, and moved into."""
        fleet = {"fleet_id": self.empty_fleet_id} if route.name in ("fleets_remove", "fleets_agents_move") else {}
        return self.ids | fleet

    async def seen(self) -> list[Any]:
        """All that the tenant sees of its own."""
        paths = ["/keys", "/agents", "/fleets", f"/fleets/{self.admin.keys.fleet_id}", "/audit"]
        return [await self.admin.ok("GET", path) for path in paths]
