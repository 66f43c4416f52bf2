"""One line of configuration swaps the event bus: on the same data, with the same agents, and the past stays whole."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from event_buses import event_bus_settings
from ringforge import Agent, RingforgeError

from ringforge_core.testkit.hub_process import HubProcess

ORDER = ("kafka", "pulsar", "local", "kafka")
EVENTS = 20


async def speak(hub: HubProcess, api_key: str, turn: int) -> tuple[list[str], list[str]]:
    """The ids of what was told in this turn, and of all that a replay shows; a memory entry and a message come along."""
    async with (
        Agent(hub.websocket_url, api_key=api_key, name="speaker", key_directory=None) as speaker,
        Agent(hub.websocket_url, api_key=api_key, name="listener", key_directory=None) as listener,
    ):
        told = [await speaker.activity.broadcast("task_progress", f"{turn}/{number}") for number in range(EVENTS)]
        assert (await speaker.memory.set("turn", turn)).version == turn + 1
        assert (await listener.memory.get("turn")).value == turn
        await speaker.dm.send(listener.id, f"turn {turn}")
        async for message in listener.dm:
            assert message.content == f"turn {turn}"
            break
        while True:
            try:
                return told, [event.event_id async for event in listener.replay.all(kinds=["task_progress"])]
            except RingforgeError as error:
                if "the past would lack its end" not in error.message:
                    raise
                await asyncio.sleep(1)  # the bus is taking over what the log has, and the hub says so


@pytest.mark.timeout(240)
async def test_the_bus_is_swapped_by_one_line(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    everything: list[str] = []
    api_key = ""
    for turn, name in enumerate(ORDER):
        hub = HubProcess(tmp_path, settings=event_bus_settings(name, request))
        await hub.start()
        try:
            api_key = api_key or (await hub.bootstrap()).agent_key
            told, replayed = await speak(hub, api_key, turn)
            everything += told
            assert replayed == everything, name
        finally:
            await hub.stop()
