"""The fleet's log as an agent sees it: numbered pushes, and the gaps that cannot be closed."""

from __future__ import annotations

from typing import Any

import msgspec


class Position(msgspec.Struct, frozen=True):
    """A place in the fleet's log. `seq` grows by one per event; a new `epoch` means that the numbering began again.

    An agent does not see every number: events for other agents' eyes are left out.
    """

    epoch: str
    seq: int

    def reaches(self, other: Position) -> bool:
        """True when who is here has already seen `other`."""
        return self.epoch == other.epoch and self.seq >= other.seq


class Push(msgspec.Struct, frozen=True):
    """Something that the hub sent by itself; `position` is None for what is not logged (such as system pushes)."""

    name: str
    payload: dict[str, Any]
    position: Position | None = None


class Gap(msgspec.Struct, frozen=True):
    """Events after `after` up to and including `until` are lost: the hub no longer has them."""

    after: Position
    until: Position

    @property
    def missed(self) -> int | None:
        """How many numbers are lost; None when the log began anew and nobody can tell."""
        return self.until.seq - self.after.seq if self.until.epoch == self.after.epoch else None


class RawPush(msgspec.Struct, frozen=True):
    """A push whose payload is still JSON text: it is decoded by the one who reads it."""

    name: str
    payload: msgspec.Raw
    position: Position | None = None

    def decoded(self) -> Push:
        return Push(self.name, msgspec.json.decode(self.payload, type=dict[str, Any]), self.position)
