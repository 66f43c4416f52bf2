"""Who is connected, as far as people and administration want to know; the capability presence tells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from ringforge_core.plugin.records import PresentAgent


@runtime_checkable
class Presences(Protocol):
    """The capability that knows who is connected, at whichever hub."""

    def presence_of(self, fleet_id: str, agent_id: str) -> PresentAgent | None:
        """None for an agent that is not connected."""

    def present_count(self, fleet_id: str) -> int:
        """How many agents of the fleet are connected."""

    def roster_of(self, fleet_id: str) -> Sequence[PresentAgent]:
        """Who came last comes first."""


class NobodyPresent:
    """For a hub without the capability presence."""

    def presence_of(self, fleet_id: str, agent_id: str) -> PresentAgent | None:
        return None

    def present_count(self, fleet_id: str) -> int:
        return 0

    def roster_of(self, fleet_id: str) -> Sequence[PresentAgent]:
        return ()
