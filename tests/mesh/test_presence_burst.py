"""A thousand agents that join at once: the roster is put together a few times, not a thousand times."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

from ringforge_core.mesh.presence.fleet import ROSTER_BYTES, FleetPresence
from ringforge_core.mesh.presence.messages import Roster, RosterEntry
from ringforge_core.mesh.presence.welcome import Welcome
from ringforge_core.plugin import AgentSession, Push, encode_message

AGENTS = 1_000
SECONDS = 10.0


class Inbox:
    """A member that keeps what is pushed to it."""

    agent = cast("AgentSession", None)

    def __init__(self) -> None:
        self.pushes: list[Push] = []

    def push(self, push: Push) -> None:
        self.pushes.append(push)


def entry(number: int, **fields: Any) -> RosterEntry:
    defaults: dict[str, Any] = {"name": None, "framework": None, "model": None, "capabilities": [], "task": None}
    stamps = {"connected_at": "2026-01-31T12:00:00.000001Z", "node": "node", "region": "local"}
    return RosterEntry(agent_id=f"ag_{number:012}", state="online", load=0.0, **{**defaults, **stamps, **fields})


async def test_a_burst_of_joins_shares_a_few_rosters() -> None:
    fleet, rosters = FleetPresence("fleet", roster_window=0.05), []

    def roster() -> Roster:
        made = fleet.roster()
        rosters.append(made)
        return made

    welcome = Welcome(roster, 0.05)
    inboxes = []
    async with asyncio.timeout(SECONDS):
        waiting = []
        for number in range(AGENTS):
            fleet.add(entry(number))
            inboxes.append(Inbox())
            waiting.append(welcome.add(inboxes[-1]))
            if number % 10 == 0:
                await asyncio.sleep(0)
        await asyncio.gather(*waiting)
    assert [len(inbox.pushes) for inbox in inboxes] == [1] * AGENTS
    for number in (0, 1, AGENTS // 2, AGENTS - 1):
        agents = json.loads(encode_message(inboxes[number].pushes[0]))["payload"]["agents"]
        assert f"ag_{number:012}" in {agent["agent_id"] for agent in agents}
    assert len({id(made) for made in rosters}) < AGENTS / 20


async def test_one_that_leaves_while_it_waits_is_let_go() -> None:
    fleet = FleetPresence("fleet", roster_window=SECONDS)
    first, second = Inbox(), Inbox()
    async with asyncio.timeout(SECONDS / 2):
        await fleet.welcome.add(first)
        waiting = fleet.welcome.add(second)
        fleet.welcome.remove(second)
        await waiting
    assert second.pushes == []


async def test_a_roster_fits_into_one_message_with_those_that_came_last() -> None:
    fleet = FleetPresence("fleet", roster_window=0.05)
    for number in range(300):
        fleet.add(entry(number, task="x" * 500, capabilities=["y" * 100] * 64))
    text = encode_message(fleet.roster())
    assert ROSTER_BYTES / 2 < len(text) < 2**20
    payload = json.loads(text)["payload"]
    assert payload["total"] == 300
    assert payload["agents"][0]["agent_id"] == f"ag_{299:012}"
