"""The table `[capabilities.memory]`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class MemorySettings(Struct, frozen=True, forbid_unknown_fields=True):
    cache_bytes: Annotated[
        int, Meta(ge=0, description="How much of what agents read is kept in the hub's memory, to be answered at once.")
    ] = 64 * 1024 * 1024
    sweep_seconds: Annotated[
        float, Meta(gt=0, description="How often expired entries are deleted and announced, and readings counted.")
    ] = 1.0
    keep_deleted_hours: Annotated[
        float, Meta(gt=0, description="How long the history of a deleted key is kept; then its versions begin at 1 again.")
    ] = 168
