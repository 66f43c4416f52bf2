"""Three hubs behind a balancer, one killed and one drained under a mixed load: nobody misses anything, on every bus.

The size is that of a build; `RINGFORGE_TEST_AGENTS=300 RINGFORGE_TEST_SECONDS=120` makes it that of a company.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from balancer import Balancer
from event_buses import EVENT_BUSES, event_bus_settings
from mixed_fleet import MixedFleet, assemble
from ringforge import Agent

from ringforge_core.testkit.hub_process import HubProcess, Keys
from ringforge_core.testkit.postgres import PostgresServer

AGENTS = int(os.environ.get("RINGFORGE_TEST_AGENTS", "24"))
SECONDS = float(os.environ.get("RINGFORGE_TEST_SECONDS", "12"))
PRESENCE_SECONDS = 10.0
"""Within this time the roster is right again, however a hub ended."""


@pytest.fixture(params=EVENT_BUSES)
def bus_settings(request: pytest.FixtureRequest) -> dict[str, str]:
    return event_bus_settings(request.param, request)


@pytest.fixture
async def hubs(bus_settings: dict[str, str], postgres: PostgresServer, tmp_path: Path) -> AsyncIterator[list[HubProcess]]:
    settings = {"RINGFORGE__STORE__URL": await postgres.new_database(), **bus_settings}
    hubs = [HubProcess(tmp_path / f"hub-{number}", settings=settings) for number in range(3)]
    try:
        for hub in hubs:
            await hub.start()
        yield hubs
    finally:
        for hub in hubs:
            await hub.stop()


async def roster(agent: Agent) -> set[str]:
    return {entry.name for entry in await agent.presence.roster() if entry.name}


async def listed(hub: HubProcess) -> set[str]:
    return {node["name"] for node in json.loads(await hub.run("nodes", "--json"))}


@pytest.mark.timeout(SECONDS + 180)
async def test_a_killed_and_a_drained_hub_cost_nobody_anything(hubs: list[HubProcess]) -> None:
    keys: Keys = await hubs[0].bootstrap()
    assert await listed(hubs[0]) == {f"hub-{hub.port}" for hub in hubs}
    async with AsyncExitStack() as stack:
        balancer = Balancer([hub.port for hub in hubs])
        await balancer.start()
        stack.push_async_callback(balancer.stop)

        async def connect(name: str) -> Agent:
            options: dict[str, Any] = {"timeout": 120, "connect_timeout": 60, "key_directory": None}
            made = Agent(balancer.websocket_url, api_key=keys.agent_key, name=name, **options)
            return await stack.enter_async_context(made)

        fleet = await assemble(connect, AGENTS)
        async with fleet.at_work():
            await pause(fleet)
            await hubs[0].kill()
            await everybody_is_present(fleet)
            await pause(fleet)
            await hubs[1].stop()
            await everybody_is_present(fleet)
            await pause(fleet)
            await fleet.finish()
            await fleet.check()
        assert await listed(hubs[2]) == {f"hub-{hubs[2].port}"}


async def pause(fleet: MixedFleet) -> None:
    end = time.monotonic() + SECONDS / 3
    await fleet.until(lambda: time.monotonic() >= end)


async def everybody_is_present(fleet: MixedFleet) -> None:
    """The agents of the hub that ended are back at another one, and shown once."""
    end = time.monotonic() + PRESENCE_SECONDS
    while (present := await roster(fleet.witness.agent)) != fleet.names:
        missing, too_many = sorted(fleet.names - present), sorted(present - fleet.names)
        assert time.monotonic() < end, f"missing: {missing}, too many: {too_many}"
        await asyncio.sleep(0.1)
    await fleet.until(lambda: True)
