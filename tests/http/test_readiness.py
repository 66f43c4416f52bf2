"""`/api/health/ready` says whether the hub can serve, and what is wrong when it cannot."""

from __future__ import annotations

from pathlib import Path

import httpx

from ringforge_core.testkit.hub import running_hub


async def test_d116_a_hub_without_its_database_is_alive_and_not_ready(tmp_path: Path) -> None:
    async with running_hub(tmp_path) as hub, httpx.AsyncClient(base_url=f"{hub.http_url}/api/health") as http:
        ready = await http.get("/ready")
        assert (ready.status_code, ready.json()) == (200, {"status": "ok", "dependencies": {"store": "ok"}})
        await hub.hub.store.close()
        ready = await http.get("/ready")
        assert ready.status_code == 503
        assert ready.json()["status"] == "not_ready"
        assert ready.json()["dependencies"]["store"] != "ok"
        assert (await http.get("/live")).status_code == 200


async def test_d116_a_hub_that_drains_is_alive_and_not_ready(tmp_path: Path) -> None:
    async with running_hub(tmp_path) as hub, httpx.AsyncClient(base_url=f"{hub.http_url}/api/health") as http:
        await hub.hub.gateway.drain(seconds=1)
        ready = await http.get("/ready")
        assert (ready.status_code, ready.json()["dependencies"]["hub"]) == (503, "draining")
        assert (await http.get("/live")).status_code == 200
