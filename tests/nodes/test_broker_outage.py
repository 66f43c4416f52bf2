"""The broker goes away under load: what is acknowledged is durable and is told, and the broker gets all of it afterwards.

The outage is as long as a build may wait; `RINGFORGE_TEST_OUTAGE=30` makes it half a minute.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from event_buses import EVENT_BUSES, event_bus_settings
from ringforge import Agent, RingforgeError

from ringforge_core.testkit.hub_process import HubProcess
from ringforge_core.testkit.kafka import OwnKafkaBroker
from ringforge_core.testkit.pulsar import OwnPulsarServer

OUTAGE_SECONDS = float(os.environ.get("RINGFORGE_TEST_OUTAGE", "5"))
AGENTS = 5
SETTLE_SECONDS = 60
BROKERS = [name for name in EVENT_BUSES if name != "local"]

Broker = OwnKafkaBroker | OwnPulsarServer


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest) -> Broker:
    """One that this test may take down."""
    found = request.getfixturevalue(request.param)
    if not isinstance(found, Broker):
        pytest.skip("the broker that the environment names is not ours to stop")
    return found


@asynccontextmanager
async def away(broker: Broker) -> AsyncIterator[None]:
    """Back again whatever happens: other tests use it, too."""
    await broker.stop()
    try:
        yield
    finally:
        await broker.start()


@pytest.fixture
async def hub(broker: Broker, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[HubProcess]:
    name = "kafka" if isinstance(broker, OwnKafkaBroker) else "pulsar"
    hub = HubProcess(tmp_path, settings=event_bus_settings(name, request) | {"RINGFORGE__EVENT_BUS__BACKLOG": "500"})
    await hub.start()
    yield hub
    await hub.stop()


class Speaker:
    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.acknowledged: list[str] = []
        self.refused = 0

    async def speak(self, stop: asyncio.Event) -> None:
        """Slowly: the outage is to be seen by what is said during it, not by how much."""
        while not stop.is_set():
            try:
                self.acknowledged.append(await self.agent.activity.broadcast("task_progress"))
            except RingforgeError as error:
                if error.reason != "backpressure":
                    raise
                self.refused += 1
            await asyncio.sleep(0.02)


@pytest.mark.timeout(OUTAGE_SECONDS + 150)
async def test_an_outage_of_the_broker_loses_nothing(broker: Broker, hub: HubProcess) -> None:
    keys = await hub.bootstrap()
    async with AsyncExitStack() as stack:

        async def agent(name: str) -> Agent:
            made = Agent(hub.websocket_url, api_key=keys.agent_key, name=name, key_directory=None, timeout=120)
            return await stack.enter_async_context(made)

        listener = await agent("listener")
        heard: list[str] = []

        async def listen() -> None:
            async for event in listener.activity:
                heard.append(event.event_id)  # noqa: PERF401 — the others look at it meanwhile

        listening = asyncio.create_task(listen())
        speakers = [Speaker(await agent(f"speaker-{number}")) for number in range(AGENTS)]
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for speaker in speakers:
                tasks.create_task(speaker.speak(stop))
            await asyncio.sleep(1)
            before = len(heard)
            async with away(broker):
                await asyncio.sleep(OUTAGE_SECONDS)
                await until(lambda: len(heard) > before + 300)  # what is acknowledged during the outage is told during it
                await until(lambda: any(speaker.refused for speaker in speakers))  # past the backlog's limit
                await hub.kill()
            await hub.start()
            await asyncio.sleep(1)
            stop.set()
        said = sorted(event_id for speaker in speakers for event_id in speaker.acknowledged)
        await until(lambda: len(heard) >= len(said))
        assert sorted(heard) == said
        async with asyncio.timeout(SETTLE_SECONDS):
            while await backlog(hub):  # noqa: ASYNC110 — metrics are looked at, they tell nobody
                await asyncio.sleep(0.1)
        assert sorted([event.event_id async for event in listener.replay.all(kinds=["task_progress"])]) == said
        listening.cancel()


async def backlog(hub: HubProcess) -> float:
    async with httpx.AsyncClient() as http:
        metrics = (await http.get(f"{hub.http_url}/metrics")).text
    (line,) = [line for line in metrics.splitlines() if line.startswith("ringforge_bus_backlog ")]
    return float(line.split()[1])


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SETTLE_SECONDS):
        while not condition():  # noqa: ASYNC110 — counts of what came have no event to wait on
            await asyncio.sleep(0.05)
