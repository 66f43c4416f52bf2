"""The table `[capabilities.inbox]`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class InboxSettings(Struct, frozen=True, forbid_unknown_fields=True):
    capacity: Annotated[
        int, Meta(ge=1, description="Messages that may wait for one agent; one more is not taken (queue_full).")
    ] = 1000
    visibility_seconds: Annotated[
        float,
        Meta(
            gt=0,
            description="A message sent with ack is sent again when it was not acknowledged for so long; the claim of a"
            " node that died lapses after the same time.",
        ),
    ] = 30.0
    sweep_seconds: Annotated[
        float, Meta(gt=0, description="How often expired messages are taken out, and their senders told.")
    ] = 5.0
