"""An entry as the database keeps it, and as it goes over the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec
import sqlalchemy as sa

from ringforge_core.identity.ids import iso
from ringforge_core.mesh.memory.messages import Entry, MemoryEntry, Version
from ringforge_core.mesh.memory.tables import memory_entries, memory_history


class StoredEntry(msgspec.Struct, frozen=True):
    """A row of `memory_entries`: `value`, `tags` and `metadata` are JSON text, instants microseconds since 1970 UTC."""

    tenant_id: str
    fleet_id: str
    key: str
    id: str
    version: int
    value: str
    type: str
    tags: str
    metadata: str
    author: str
    access_count: int
    created_at: int
    updated_at: int
    expires_at: int | None = None
    deleted_at: int | None = None

    def lives(self, at: int) -> bool:
        """Neither deleted nor expired."""
        return self.deleted_at is None and (self.expires_at is None or self.expires_at > at)


_1970 = datetime(1970, 1, 1, tzinfo=UTC)

COLUMNS = tuple(memory_entries.c[name] for name in StoredEntry.__struct_fields__)


def stored_entry(row: sa.Row[Any]) -> StoredEntry:
    """From a row of `COLUMNS`."""
    return StoredEntry(*row)  # type: ignore[call-arg]  # the columns are the fields in their order


def wire_entry(entry: StoredEntry) -> Entry:
    return Entry(**_fields(entry))


def memory_entry(entry: StoredEntry) -> MemoryEntry:
    return MemoryEntry(**_fields(entry))


HISTORY_COLUMNS = tuple(
    memory_history.c[name]
    for name in ("version", "value", "type", "tags", "metadata", "author", "updated_at", "deleted_at")
)  # fmt: skip


def wire_version(row: StoredEntry | sa.Row[Any]) -> Version:
    """From an entry, or from a row of `HISTORY_COLUMNS`."""
    return Version(
        version=row.version,
        action="set" if row.deleted_at is None else "delete",
        author=row.author,
        timestamp=_iso(row.deleted_at or row.updated_at),
        value=msgspec.Raw(row.value.encode()),
        type=row.type,
        tags=cast("list[str]", msgspec.Raw(row.tags.encode())),
        metadata=cast("dict[str, Any]", msgspec.Raw(row.metadata.encode())),
    )


def _fields(entry: StoredEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "key": entry.key,
        "fleet_id": entry.fleet_id,
        "value": msgspec.Raw(entry.value.encode()),
        "type": entry.type,
        "tags": msgspec.Raw(entry.tags.encode()),
        "author": entry.author,
        "created_at": _iso(entry.created_at),
        "updated_at": _iso(entry.updated_at),
        "ttl": None if entry.expires_at is None else _iso(entry.expires_at),
        "metadata": msgspec.Raw(entry.metadata.encode()),
        "version": entry.version,
        "access_count": entry.access_count,
    }


def _iso(at: int) -> str:
    return iso(_1970 + timedelta(microseconds=at))
