"""The table `[capabilities.groups]`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class GroupsSettings(Struct, frozen=True, forbid_unknown_fields=True):
    expires_seconds: Annotated[float, Meta(gt=0, description="How long a message waits for a member that is away.")] = 300.0
    urgent_expires_seconds: Annotated[
        float, Meta(gt=0, description="The same for messages with the priority high or critical.")
    ] = 86_400.0
    idle_pod_seconds: Annotated[
        float, Meta(gt=0, description="A pod without a message or a change of members for so long is dissolved.")
    ] = 86_400.0
    keep_dissolved_seconds: Annotated[
        float, Meta(gt=0, description="How long a dissolved group with its result can still be looked up.")
    ] = 2_592_000.0
    sweep_seconds: Annotated[
        float, Meta(gt=0, description="How often idle pods, groups without an owner and old groups are looked for.")
    ] = 60.0
