"""The table `[capabilities.presence]`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class PresenceSettings(Struct, frozen=True, forbid_unknown_fields=True):
    leave_after_seconds: Annotated[
        float, Meta(ge=0, description="How long an agent without a connection is still present: reconnects stay silent.")
    ] = 3.0
    roster_window_seconds: Annotated[
        float, Meta(ge=0, description="Agents that join within this time share one roster, encoded once.")
    ] = 0.05
    region: Annotated[str, Meta(description="The region that this hub's agents are shown in.")] = "local"
