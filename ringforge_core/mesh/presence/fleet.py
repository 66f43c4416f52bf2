"""Who is present in one fleet, and its roster.

Each entry is encoded when it changes, and the roster is put together from the encoded entries when it is asked for and
something has changed: a thousand agents that ask get the same bytes.
"""

from __future__ import annotations

import asyncio
from typing import cast

import msgspec

from ringforge_core.mesh.presence.messages import Roster, RosterEntry
from ringforge_core.mesh.presence.welcome import Welcome

ROSTER_BYTES = 900_000
"""A message to a client stays below 1 MiB; past this the agents that came first are left out."""

_encode = msgspec.json.Encoder().encode


class Presence:
    """One agent, however many channels it has joined, at however many hubs. `entry` is this hub's if it is here."""

    __slots__ = ("channels", "elsewhere", "encoded", "entry", "leaving")

    def __init__(self, entry: RosterEntry) -> None:
        self.entry = entry
        self.encoded = b""
        self.channels = 0
        self.elsewhere: dict[str, RosterEntry] = {}
        """What other hubs tell of it, by their names."""
        self.leaving: asyncio.TimerHandle | None = None
        """Set while the agent has no channel here and may still come back."""

    @property
    def here(self) -> bool:
        """Whether it is present at this hub, a moment without a channel included."""
        return self.channels > 0 or self.leaving is not None

    def stay(self) -> None:
        """It came back in time."""
        if self.leaving is not None:
            self.leaving.cancel()
            self.leaving = None


class FleetPresence:
    def __init__(self, fleet_id: str, *, roster_window: float) -> None:
        self.fleet_id = fleet_id
        self.welcome = Welcome(self.roster, roster_window)
        self.agents: dict[str, Presence] = {}
        self._roster: Roster | None = None

    def add(self, entry: RosterEntry) -> Presence:
        presence = self.agents[entry.agent_id] = Presence(entry)
        self.changed(presence)
        return presence

    def changed(self, presence: Presence) -> None:
        """The presence's entry is not what it was."""
        presence.encoded = _encode(presence.entry)
        self._roster = None

    def remove(self, agent_id: str) -> None:
        self._roster = None
        del self.agents[agent_id]

    def roster(self) -> Roster:
        if self._roster is None:
            self._roster = self._put_together()
        return self._roster

    def _put_together(self) -> Roster:
        entries = []
        size = 0
        for presence in reversed(self.agents.values()):
            size += len(presence.encoded) + 1
            if size > ROSTER_BYTES:
                break
            entries.append(presence.encoded)
        agents = msgspec.Raw(b"[%b]" % b",".join(entries))
        return Roster(agents=cast("list[RosterEntry]", agents), total=len(self.agents))
