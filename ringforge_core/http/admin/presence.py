"""Who is connected, as far as administration wants to know; the composition root says who tells."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


class Presence(Protocol):
    """What an agent that is connected does. `connected_at` is ISO 8601 UTC, `load` 0 or more."""

    @property
    def state(self) -> str: ...

    @property
    def task(self) -> str | None: ...

    @property
    def load(self) -> float: ...

    @property
    def connected_at(self) -> str: ...


@runtime_checkable
class Presences(Protocol):
    def presence_of(self, fleet_id: str, agent_id: str) -> Presence | None:
        """None for an agent that is not connected."""

    def present_count(self, fleet_id: str) -> int:
        """How many agents of the fleet are connected."""


class NobodyPresent:
    """For a hub without the capability presence."""

    def presence_of(self, fleet_id: str, agent_id: str) -> Presence | None:
        return None

    def present_count(self, fleet_id: str) -> int:
        return 0
