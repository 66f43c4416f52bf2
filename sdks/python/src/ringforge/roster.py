"""The fleet's agents as the others see them, and the stream of what changes about them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import Struct

from ringforge.errors import RingforgeError

State: TypeAlias = Literal["online", "busy", "away", "offline"]


class RosterEntry(Struct, frozen=True):
    """One agent of the fleet. `load` is what the agent says it is, 0 or more."""

    agent_id: str
    name: str | None = None
    framework: str | None = None
    model: str | None = None
    capabilities: tuple[str, ...] = ()
    state: str = "online"
    task: str | None = None
    load: float = 0.0
    connected_at: datetime | None = None
    node: str | None = None
    region: str | None = None


class Joined(Struct, frozen=True):
    """The agent was not there before."""

    agent: RosterEntry


class Left(Struct, frozen=True):
    """The agent is gone; `agent` is how it was last seen."""

    agent: RosterEntry


class StateChanged(Struct, frozen=True):
    """Something about the agent is not as `before`."""

    agent: RosterEntry
    before: RosterEntry


Change: TypeAlias = Joined | Left | StateChanged


class Changes(AsyncIterator[Change]):
    """The changes of a roster, bounded by the number of agents: what changed twice unread is one change.

    It compares the roster with what the reader saw last, so it stays right over reconnects. Ends as a `Stream` does.
    """

    def __init__(self, agents: Mapping[str, RosterEntry], siblings: dict[Changes, None]) -> None:
        """`agents` is the live roster; `siblings` are all that get notes, this one among them until it is closed."""
        self._agents = agents
        self._siblings = siblings
        self._before: dict[str, RosterEntry | None] = {}
        self._wake = asyncio.Event()
        self._ended = False
        self._error: RingforgeError | None = None
        siblings[self] = None

    def close(self) -> None:
        """Stop. A second call does nothing."""
        self._before.clear()
        self.end(None)

    def __enter__(self) -> Changes:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __anext__(self) -> Change:
        while True:
            while self._before:
                agent_id = next(iter(self._before))
                change = _compare(self._before.pop(agent_id), self._agents.get(agent_id))
                if change is not None:
                    return change
            if self._ended:
                raise self._error or StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()

    def note(self, agent_id: str, before: RosterEntry | None) -> None:
        """The agent's entry is another than `before`."""
        self._before.setdefault(agent_id, before)
        self._wake.set()

    def end(self, error: RingforgeError | None) -> None:
        """Nothing follows: the reader gets what waits, then the end or the error."""
        if not self._ended:
            self._ended, self._error = True, error
            self._siblings.pop(self, None)
            self._wake.set()


def _compare(before: RosterEntry | None, now: RosterEntry | None) -> Change | None:
    if before == now:
        return None
    if now is None:
        return Left(before) if before is not None else None
    return Joined(now) if before is None else StateChanged(now, before)
