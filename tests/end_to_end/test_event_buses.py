"""Promise 8, swap by one line: the same two agents on each bus, live, in the past, and over a `kill -9` of the hub."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from event_buses import EVENT_BUSES, event_bus_settings
from ringforge import Agent

from ringforge_core.testkit.hub_process import HubProcess

SECONDS = 30.0
EVENTS = 30


@pytest.fixture(params=EVENT_BUSES)
async def hub(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[HubProcess]:
    hub = HubProcess(tmp_path / "hub", settings=event_bus_settings(request.param, request))
    await hub.start()
    yield hub
    await hub.stop()


class Watcher:
    """Keeps every activity that an agent sees."""

    def __init__(self, agent: Agent) -> None:
        self.seen: list[str] = []
        self._stream = agent.activity.stream()

    async def run(self) -> None:
        async for event in self._stream:
            self.seen.append(event.event_id)

    async def has_seen(self, count: int) -> list[str]:
        async with asyncio.timeout(SECONDS):
            while len(self.seen) < count:  # noqa: ASYNC110 — the stream is read by a task of its own
                await asyncio.sleep(0.01)
        return self.seen


async def test_two_agents_live_and_in_the_past_over_a_kill(hub: HubProcess) -> None:
    keys = await hub.bootstrap()

    def agent(name: str) -> Agent:
        return Agent(hub.websocket_url, api_key=keys.agent_key, name=name, key_directory=None)

    async with agent("ada") as ada, agent("bob") as bob:
        watcher = Watcher(bob)
        watching = asyncio.create_task(watcher.run())
        messages = bob.dm.stream()

        async def round_of(number: int) -> list[str]:
            """Broadcast, remember, write: what is acknowledged comes to bob, and is in the past at once."""
            sent = [await ada.activity.broadcast("task_progress", f"{number}.{step}") for step in range(EVENTS)]
            await ada.memory.set("round", number)
            await ada.dm.send(bob.id, {"text": f"round {number}"})
            past = [event.event_id async for event in bob.replay.all()]
            assert past[-EVENTS:] == sent
            assert (await bob.memory.get("round")).value == number
            assert (await asyncio.wait_for(anext(messages), SECONDS)).content == {"text": f"round {number}"}
            return sent

        sent = await round_of(1)
        assert await watcher.has_seen(EVENTS) == sent
        await hub.restart()
        sent += await round_of(2)
        assert await watcher.has_seen(2 * EVENTS) == sent
        assert [event.event_id async for event in ada.replay.all()] == sent
        (last,) = await ada.activity.history(limit=1)
        assert last.event_id == sent[-1]
        watching.cancel()
        await asyncio.wait([watching])
