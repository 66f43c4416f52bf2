"""What the operator reads at `/metrics`: true numbers, in as many series as there are things, whoever connects."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families
from raw_websocket import CLOSE, RawClient, client_frame, close_payload

from ringforge_core.testkit.hub import TestHub, running_hub
from ringforge_core.testkit.phoenix_client import PhoenixClient

Samples = dict[tuple[str, ...], float]


async def samples(hub: TestHub) -> Samples:
    """Each sample's value by its name and its labels."""
    async with httpx.AsyncClient() as http:
        text = (await http.get(f"{hub.http_url}/metrics")).text
    families = text_string_to_metric_families(text)
    return {
        (sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


async def test_d113_agents_are_counted_once_and_nobody_can_make_series(tmp_path: Path) -> None:
    async with running_hub(tmp_path) as hub:
        other = await hub.tenant("other")

        def agent(name: str, key: str = hub.keys.agent_key) -> PhoenixClient:
            return PhoenixClient(hub.websocket_url, api_key=key, agent={"name": name})

        async with agent("one") as one, agent("one") as again, agent("two", other.agent_key) as two:
            await one.join()
            await one.join(topic=f"fleet:{hub.keys.fleet_id}", join_ref="2")
            await again.join()
            await two.join()
            first = await samples(hub)
            assert first["ringforge_connected_agents",] == 2
            assert first["ringforge_connections",] == 3
            for number in range(30):
                await one.refused(f'made:up"{number}\n', {})
                await one.refused("memory:get", {"key": f'"{number}"\\'})
                raw = await RawClient.connect(int(hub.http_url.rpartition(":")[2]), "/ws/websocket")
                raw.send(client_frame(close_payload(4000 + number), CLOSE))
                await raw.ended()
            async with asyncio.timeout(10):
                while (now := await samples(hub)).get(("ringforge_closes_total", "code=other")) != 30:  # noqa: ASYNC110 — it is asked over HTTP
                    await asyncio.sleep(0.01)
            assert now["ringforge_event_errors_total", "event=memory:get", "reason=not_found"] == 30
            new = {sample[0] for sample in now.keys() - first.keys()}
            assert new == {"ringforge_closes_total", "ringforge_event_errors_total"}
            assert len(now) - len(first) <= 4
