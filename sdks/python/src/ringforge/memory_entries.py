"""What is in the shared memory, and how it changes."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, TypeAlias

import msgspec

from ringforge.log import Position

Action: TypeAlias = Literal["set", "delete"]


class MemoryEntry(msgspec.Struct, frozen=True):
    """What is under a key. `version` counts the changes of the key; `author` is the id of who changed it last."""

    id: str
    key: str
    value: Any
    version: int
    type: str
    tags: tuple[str, ...]
    author: str
    created_at: datetime
    updated_at: datetime
    metadata: dict[str, Any]
    access_count: int = 0
    expires_at: datetime | None = msgspec.field(default=None, name="ttl")


class MemoryPage(msgspec.Struct, frozen=True):
    """Some of the entries that match; `total` is how many there are."""

    entries: tuple[MemoryEntry, ...]
    total: int


class MemoryVersion(msgspec.Struct, frozen=True):
    """What a key was from `timestamp` on; after a `delete` there is no value."""

    version: int
    action: Action
    author: str
    timestamp: datetime
    value: Any
    type: str
    tags: tuple[str, ...]
    metadata: dict[str, Any]


class MemoryChange(msgspec.Struct, frozen=True):
    """Somebody set or deleted an entry; the author of an expiry is `system`."""

    key: str
    action: Action
    author: str
    timestamp: datetime
    version: int
    position: Position | None = None


class Written(msgspec.Struct, frozen=True):
    """What `set` made: the entry's id, its key and its version now."""

    id: str
    key: str
    version: int
