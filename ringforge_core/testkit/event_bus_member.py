"""A member of a group in a process of its own, made to be killed: it takes events, says so, and never gets done with them.

Run as `python -m ringforge_core.testkit.event_bus_member JSON`, it prints `joined`, then the id of each event it holds.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import msgspec

from ringforge_core.plugin import AdapterContext
from ringforge_core.plugin.manager import PluginManager
from ringforge_core.ports.event_bus import Event, EventBus, Topic
from ringforge_core.ports.store import Store
from ringforge_core.testkit.event_bus_base import BusPlugin

_JOIN_SECONDS = 60.0


class HangingMember:
    def __init__(self, process: Process) -> None:
        self._process = process

    async def holds(self, *, seconds: float) -> set[str]:
        """The ids of the first events that it holds, as soon as there are some."""
        return {await self._line(seconds)}

    def kill(self) -> None:
        """`kill -9`."""
        self._process.kill()

    async def joined(self) -> None:
        if (line := await self._line(_JOIN_SECONDS)) != "joined":
            raise RuntimeError(f"the member did not join its group: {line}")

    async def _line(self, seconds: float) -> str:
        assert self._process.stdout is not None  # noqa: S101 — it was started with a pipe
        return (await asyncio.wait_for(self._process.stdout.readline(), seconds)).decode().strip()


class _Task(msgspec.Struct):
    plugin: BusPlugin
    group: str
    fleet_id: str


@asynccontextmanager
async def hanging_member(plugin: BusPlugin, group: str, topic: Topic) -> AsyncIterator[HangingMember]:
    """A member that has joined, and that holds what it gets of the topic's fleet."""
    task = msgspec.json.encode(_Task(plugin, group, topic.fleet_id)).decode()
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", __name__, task, stdin=DEVNULL, stdout=PIPE)
    try:
        member = HangingMember(process)
        await member.joined()
        yield member
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _hang(task: _Task) -> None:
    async def hold(events: Sequence[Event]) -> None:
        mine = [event for event in events if event.fleet_id == task.fleet_id]
        for event in mine:
            _say(event.event_id)
        if mine:
            await asyncio.Event().wait()

    bus = _make(task.plugin)
    await bus.start()
    await bus.subscribe(hold, group=task.group)
    _say("joined")
    await asyncio.Event().wait()


def _make(plugin: BusPlugin) -> EventBus:
    adapter = PluginManager().adapter("event_bus", plugin.name)
    settings: Any = msgspec.convert(plugin.settings, adapter.settings_type)
    no_store = cast(Store, None)  # a bus that other processes can join does not read this hub's store
    context = AdapterContext(data_directory=Path.cwd(), store=no_store, node="doomed")
    return cast(EventBus, adapter.create(settings, context))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_hang(msgspec.json.decode(sys.argv[1], type=_Task)))
