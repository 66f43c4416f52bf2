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
from mixed_load import Worker
from mixed_load_checks import (
    Witness,
    members_are_as_acknowledged,
    memory_is_as_acknowledged,
    messages_came_once_and_in_order,
    replay_has_what_was_told,
    running,
    settled,
    until,
)
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

        async def agent(name: str) -> Agent:
            options: dict[str, Any] = {"timeout": 120, "connect_timeout": 60, "key_directory": None}
            made = Agent(balancer.websocket_url, api_key=keys.agent_key, name=name, **options)
            return await stack.enter_async_context(made)

        witness = Witness(await agent("witness"))
        watching = await stack.enter_async_context(running(witness.watch()))
        await witness.agent.memory.subscribe("*")
        names = [f"worker-{number}" for number in range(AGENTS)]
        workers = [Worker(made, name) for made, name in zip(await asyncio.gather(*map(agent, names)), names, strict=True)]
        common = await workers[0].agent.groups.create("common", invite=[worker.agent.id for worker in workers[1:]])
        shared = await witness.agent.groups.create("shared")
        await witness.agent.memory.set("counter", 0)
        reading = await stack.enter_async_context(
            running(*(each for w in workers for each in (w.read_messages(), w.read_posts(common.group_id))))
        )
        stop = asyncio.Event()
        partners = [worker.agent.id for worker in (*workers[1:], workers[0])]
        async with running(
            *(
                worker.work(stop, partner=partner, common=common.group_id, shared=shared.group_id)
                for worker, partner in zip(workers, partners, strict=True)
            )
        ) as working:
            busy = [*working, *reading, *watching]
            everybody = {"witness", *names}
            await pause(SECONDS / 3, busy)
            await hubs[0].kill()
            await everybody_is_present(witness.agent, everybody, busy)
            await pause(SECONDS / 3, busy)
            await hubs[1].stop()
            await everybody_is_present(witness.agent, everybody, busy)
            await pause(SECONDS / 3, busy)
            stop.set()
            await asyncio.gather(*working)

        await settled(workers, witness, [*reading, *watching])
        await memory_is_as_acknowledged(witness, workers)
        await messages_came_once_and_in_order(workers)
        await replay_has_what_was_told(witness, workers)
        await members_are_as_acknowledged(witness.agent, workers, common.group_id, shared.group_id)
        assert await listed(hubs[2]) == {f"hub-{hubs[2].port}"}


async def pause(seconds: float, tasks: list[asyncio.Task[None]]) -> None:
    """Let them work; a failure of one is the test's."""
    end = time.monotonic() + seconds
    await until(lambda: time.monotonic() >= end, tasks)


async def everybody_is_present(agent: Agent, names: set[str], tasks: list[asyncio.Task[None]]) -> None:
    """The agents of the hub that ended are back at another one, and shown once."""
    end = time.monotonic() + PRESENCE_SECONDS
    while (present := await roster(agent)) != names:
        assert time.monotonic() < end, f"missing: {sorted(names - present)}, too many: {sorted(present - names)}"
        await asyncio.sleep(0.1)
    await until(lambda: True, tasks)
