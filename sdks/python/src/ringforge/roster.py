"""The fleet's agents as the others see them, and the stream of what changes about them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import Struct

from ringforge.reader import NothingWaits, Reader

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


class Changes(Reader[Change]):
    """The changes of a roster, bounded by the number of agents: what changed twice unread is one change.

    It compares the roster with what the reader saw last, so it stays right over reconnects.
    """

    def __init__(self, agents: Mapping[str, RosterEntry], siblings: dict[Changes, None]) -> None:
        """`agents` is the live roster; `siblings` are all that get notes, this one among them until it is closed."""
        super().__init__()
        self._agents = agents
        self._siblings = siblings
        self._before: dict[str, RosterEntry | None] = {}
        siblings[self] = None

    def _take(self) -> Change:
        while self._before:
            agent_id = next(iter(self._before))
            change = _compare(self._before.pop(agent_id), self._agents.get(agent_id))
            if change is not None:
                return change
        raise NothingWaits

    def _forget(self) -> None:
        self._before.clear()

    def _leave(self) -> None:
        self._siblings.pop(self, None)

    def note(self, agent_id: str, before: RosterEntry | None) -> None:
        """The agent's entry is another than `before`."""
        self._before.setdefault(agent_id, before)
        self._wake.set()


def _compare(before: RosterEntry | None, now: RosterEntry | None) -> Change | None:
    if before == now:
        return None
    if now is None:
        return Left(before) if before is not None else None
    return Joined(now) if before is None else StateChanged(now, before)
