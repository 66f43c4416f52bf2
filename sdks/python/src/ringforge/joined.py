"""What the hub answers to a join."""

from __future__ import annotations

from typing import Any

import msgspec

from ringforge.log import Position


class Resumed(msgspec.Struct, frozen=True):
    """`gap` when the events up to the number `to` cannot be had any more; what is newer follows."""

    status: str
    to: int = 0


class Joined(msgspec.Struct, frozen=True):
    """Who the agent is in which fleet; `epoch` and `seq` are the end of the fleet's log."""

    agent_id: str
    fleet_id: str
    name: str | None = None
    heartbeat_ms: int = 30_000
    server: Any = None
    epoch: str = ""
    seq: int = 0
    resume: Resumed | None = None

    @property
    def head(self) -> Position:
        return Position(self.epoch, self.seq)

    def lost_until(self, asked: Position | None) -> Position | None:
        """Up to where the hub cannot send what was `asked` for; a hub that does not know of resuming sends nothing."""
        if self.resume is not None and self.resume.status == "gap":
            return Position(self.epoch, self.resume.to)
        return self.head if asked is not None and self.resume is None else None
