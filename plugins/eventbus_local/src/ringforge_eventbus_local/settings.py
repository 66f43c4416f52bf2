"""The table `[event_bus.local]`."""

from __future__ import annotations

from typing import Annotated

import msgspec


class LocalEventBusSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`retention_hours` is for topics that nobody gave a retention; `queue_size` is events that may wait in memory for
    one subscriber, past it they are read from the database again; `flush_seconds` bounds how long a stop waits."""

    retention_hours: Annotated[float, msgspec.Meta(gt=0)] = 168.0
    queue_size: Annotated[int, msgspec.Meta(ge=1)] = 10_000
    flush_seconds: Annotated[float, msgspec.Meta(ge=0)] = 5.0
