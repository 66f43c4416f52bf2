"""The table `[event_bus.local]`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class LocalEventBusSettings(Struct, frozen=True, forbid_unknown_fields=True):
    trim_seconds: Annotated[float, Meta(gt=0, description="How often events that are too old are deleted.")] = 60.0
    queue_size: Annotated[
        int,
        Meta(ge=1, description="Events that may wait in memory for one subscriber; more are read from the log again."),
    ] = 10_000
    flush_seconds: Annotated[
        float, Meta(ge=0, description="How long a stop waits for subscribers to take what was published.")
    ] = 5.0
