"""A process full of agents for the kill test: each publishes as fast as it gets acknowledgements, and notes all it sees.

    python fleet_process.py URL API_KEY PROCESS_NAME AGENTS REPORT

It prints `ready` when all agents are in, then a line per second with the number of acknowledged events. A line on stdin
ends the publishing; then it waits until every agent has seen the newest event, writes its report as JSON and ends.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from ringforge import Agent, Gap

SETTLE_SECONDS = 60.0


class Witness:
    """One agent: what it had acknowledged, and what it saw."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.acknowledged: list[str] = []
        self.seen: list[tuple[int, str]] = []
        self.gaps: list[str] = []
        self._progress = asyncio.Event()

    async def publish(self, stop: asyncio.Event) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            self.acknowledged.append(await self.agent.activity.broadcast("task_progress", str(number)))

    async def watch(self) -> None:
        async for event in self.agent.activity:
            if event.position is not None:
                self.seen.append((event.position.seq, event.event_id))
                self._progress.set()

    async def has_seen(self, seq: int) -> None:
        while not self.seen or self.seen[-1][0] < seq:
            self._progress.clear()
            await self._progress.wait()

    def note_gap(self, gap: Gap) -> None:
        self.gaps.append(repr(gap))

    def report(self) -> dict[str, Any]:
        return {"acknowledged": self.acknowledged, "seen": self.seen, "gaps": self.gaps}


async def main(url: str, api_key: str, name: str, agents: int) -> list[dict[str, Any]]:
    witnesses = [
        Witness(Agent(url, api_key=api_key, name=f"{name}-{number}", timeout=120, connect_timeout=60, key_directory=None))
        for number in range(agents)
    ]
    for witness in witnesses:
        witness.agent.on_gap(witness.note_gap)
    watching = [asyncio.create_task(witness.watch()) for witness in witnesses]
    await asyncio.gather(*(witness.agent.connect() for witness in witnesses))
    print("ready", flush=True)
    stop = asyncio.Event()
    stdin = asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    stdin.add_done_callback(lambda _: stop.set())
    publishing = asyncio.gather(*(witness.publish(stop) for witness in witnesses))
    while not stop.is_set():
        print(sum(len(witness.acknowledged) for witness in witnesses), flush=True)
        await asyncio.wait([stdin], timeout=1)
    await publishing
    print("published", flush=True)
    last = json.loads(await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline))
    async with asyncio.timeout(SETTLE_SECONDS):
        await asyncio.gather(*(witness.has_seen(last) for witness in witnesses))
    await asyncio.gather(*(witness.agent.close() for witness in witnesses))
    await asyncio.gather(*watching)
    return [witness.report() for witness in witnesses]


if __name__ == "__main__":
    reports = asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
    Path(sys.argv[5]).write_text(json.dumps(reports))
