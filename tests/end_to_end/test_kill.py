"""Promises 1 to 3 under `kill -9`: what was acknowledged is there once, in order, and every client saw all of it once."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from ringforge import Agent

from ringforge_core.testkit.hub_process import HubProcess, Keys

KILLS = 5
PROCESSES = 2
AGENTS_EACH = 25
PROGRESS_BETWEEN_KILLS = 120
"""Acknowledged events that each process must get between two kills, so that every kill hits a hub under load."""


class Fleet:
    """A child process with agents in it; see `fleet_process.py`."""

    def __init__(self, process: Process, report: Path) -> None:
        self._process = process
        self._report = report

    async def line(self) -> str:
        assert self._process.stdout is not None
        line = (await asyncio.wait_for(self._process.stdout.readline(), 90)).decode().strip()
        assert line, f"the agents' process ended with {await self._process.wait()}"
        return line

    async def progress(self, more: int) -> None:
        """Wait until this many more events are acknowledged."""
        start = int(await self.line())
        while int(await self.line()) < start + more:
            pass

    async def say(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{text}\n".encode())
        await self._process.stdin.drain()

    async def published(self) -> None:
        while await self.line() != "published":
            pass

    async def report(self) -> list[dict[str, Any]]:
        assert await asyncio.wait_for(self._process.wait(), 90) == 0
        return json.loads(self._report.read_text())  # type: ignore[no-any-return]

    def end(self) -> None:
        if self._process.returncode is None:
            self._process.kill()


@pytest.fixture
async def fleets(hub_process: HubProcess, tmp_path: Path) -> AsyncIterator[list[Fleet]]:
    keys = await hub_process.bootstrap()
    script = Path(__file__).with_name("fleet_process.py")
    running: list[Fleet] = []
    try:
        for number in range(PROCESSES):
            report = tmp_path / f"report-{number}.json"
            process = await asyncio.create_subprocess_exec(
                sys.executable, str(script), hub_process.websocket_url, keys.agent_key, f"process-{number}",
                str(AGENTS_EACH), str(report), stdin=PIPE, stdout=PIPE,
            )  # fmt: skip
            running.append(Fleet(process, report))
        yield running
    finally:
        for fleet in running:
            fleet.end()


@pytest.mark.timeout(240)
async def test_d71_nothing_acknowledged_is_lost_or_doubled_over_five_kills(
    hub_process: HubProcess, fleets: list[Fleet]
) -> None:
    for fleet in fleets:
        assert await fleet.line() == "ready"
    for _ in range(KILLS):
        await asyncio.gather(*(fleet.progress(PROGRESS_BETWEEN_KILLS) for fleet in fleets))
        await hub_process.restart()
    await asyncio.gather(*(fleet.progress(PROGRESS_BETWEEN_KILLS) for fleet in fleets))
    for fleet in fleets:
        await fleet.say("stop")
    await asyncio.gather(*(fleet.published() for fleet in fleets))

    log = await read_log(hub_process, await hub_process.bootstrap())
    for fleet in fleets:
        await fleet.say(str(log[-1][0]))
    witnesses = [witness for fleet in fleets for witness in await fleet.report()]

    assert [seq for seq, _ in log] == list(range(1, len(log) + 1))
    ids = [event_id for _, event_id in log]
    assert len(set(ids)) == len(ids)
    acknowledged = [event_id for witness in witnesses for event_id in witness["acknowledged"]]
    assert len(acknowledged) > KILLS * PROCESSES * PROGRESS_BETWEEN_KILLS
    assert set(acknowledged) - set(ids) == set()
    assert len(set(acknowledged)) == len(acknowledged)
    for witness in witnesses:
        assert witness["gaps"] == []
        seen = [tuple(event) for event in witness["seen"]]
        assert seen == log[seen[0][0] - 1 :]  # from its first event on: all, once, in order


async def read_log(hub_process: HubProcess, keys: Keys) -> list[tuple[int, str]]:
    """The whole log as the replay gives it, numbered by its place."""
    async with Agent(hub_process.websocket_url, api_key=keys.agent_key, name="auditor", key_directory=None) as auditor:
        events = [event async for event in auditor.replay.all()]
    return [(number, event.event_id) for number, event in enumerate(events, 1)]
