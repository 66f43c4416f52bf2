"""The table `[capabilities.direct]`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class DirectSettings(Struct, frozen=True, forbid_unknown_fields=True):
    expires_seconds: Annotated[
        float, Meta(gt=0, description="How long a message waits for an agent that is away; then its sender is told.")
    ] = 300.0
    urgent_expires_seconds: Annotated[
        float, Meta(gt=0, description="The same for messages with the priority high or critical.")
    ] = 86_400.0
    trim_seconds: Annotated[float, Meta(gt=0, description="How often conversations that are too old are deleted.")] = 60.0
