"""Read entries: one, a page of those that match, and what a key was before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from ringforge_core.mesh.memory.databases import MemoryDatabase
from ringforge_core.mesh.memory.messages import Sort, Version
from ringforge_core.mesh.memory.stored import COLUMNS, HISTORY_COLUMNS, StoredEntry, stored_entry, wire_version
from ringforge_core.mesh.memory.tables import memory_entries as table
from ringforge_core.mesh.memory.tables import memory_history
from ringforge_core.mesh.past import REPLY_BYTES

ENTRY_OVERHEAD = 1_000
"""Bytes of an entry in a reply beside its value, its metadata and its key, at most: tags, ids and names."""


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """Which living entries of a fleet, in which order; instants are microseconds since 1970 UTC.

    `words` is None for no search for words, and empty for a search that has none: it finds nothing.
    """

    tenant_id: str
    fleet_id: str
    at: int
    tags: Sequence[str] = ()
    author: str | None = None
    since: int | None = None
    words: Sequence[str] | None = None
    sort: Sort = "updated_at"
    limit: int
    offset: int = 0


class Page(msgspec.Struct, frozen=True):
    """The entries that fit into one reply, one at least if there is one; `total` is how many match."""

    entries: list[StoredEntry]
    total: int


def find_entry(connection: sa.Connection, tenant_id: str, fleet_id: str, key: str, at: int) -> StoredEntry | None:
    """The living entry of the key."""
    query = sa.select(*COLUMNS).where(table.c.tenant_id == tenant_id, table.c.fleet_id == fleet_id, table.c.key == key)
    row = connection.execute(query).one_or_none()
    entry = None if row is None else stored_entry(row)
    return entry if entry is not None and entry.lives(at) else None


def find_page(connection: sa.Connection, database: MemoryDatabase, search: Search) -> Page:
    """A search for words finds what the index knows of: bring it up to date before."""
    if search.words is not None and not search.words:
        return Page([], 0)
    source: sa.FromClause = table
    conditions = _conditions(database, search)
    if search.words:
        source = table.join(database.words, database.words_of_entry)
        conditions.append(database.matches(search.fleet_id, search.words))
    total = connection.execute(sa.select(sa.func.count()).select_from(source).where(*conditions)).scalar_one()
    size = sum(database.byte_length(column) for column in (table.c.value, table.c.metadata, table.c.key))
    found = connection.execute(
        sa.select(table.c.key, sa.type_coerce(size, sa.Integer).label("size"))
        .select_from(source)
        .where(*conditions)
        .order_by(_order(database, search), table.c.number.desc())
        .limit(search.limit)
        .offset(search.offset)
    ).all()
    return Page(_read(connection, search, _fitting(found)), total)


def find_history(connection: sa.Connection, tenant_id: str, fleet_id: str, key: str, limit: int) -> list[Version]:
    """The versions of the key, newest first, as many as fit into one reply; none when it never was."""
    now_query = sa.select(*COLUMNS).where(table.c.tenant_id == tenant_id, table.c.fleet_id == fleet_id, table.c.key == key)
    row = connection.execute(now_query).one_or_none()
    if row is None:
        return []
    before = connection.execute(
        sa.select(*HISTORY_COLUMNS)
        .where(
            memory_history.c.tenant_id == tenant_id,
            memory_history.c.fleet_id == fleet_id,
            memory_history.c.key == key,
        )
        .order_by(memory_history.c.version.desc())
    ).all()
    versions: list[StoredEntry | sa.Row[Any]] = [stored_entry(row), *before]
    taken: list[Version] = []
    size = 0
    for version in versions[:limit]:
        size += len(version.value.encode()) + len(version.metadata.encode()) + ENTRY_OVERHEAD
        if taken and size > REPLY_BYTES:
            break
        taken.append(wire_version(version))
    return taken


def _conditions(database: MemoryDatabase, search: Search) -> list[sa.ColumnElement[bool]]:
    conditions = [
        table.c.tenant_id == search.tenant_id,
        table.c.fleet_id == search.fleet_id,
        table.c.deleted_at.is_(None),
        sa.or_(table.c.expires_at.is_(None), table.c.expires_at > search.at),
    ]
    if search.tags:
        conditions.append(database.has_tags(search.tags))
    if search.author is not None:
        conditions.append(table.c.author == search.author)
    if search.since is not None:
        conditions.append(table.c.updated_at >= search.since)
    return conditions


def _order(database: MemoryDatabase, search: Search) -> sa.ColumnElement[object]:
    if search.sort == "relevance":
        return database.relevance(search.words).desc() if search.words else table.c.updated_at.desc()
    return table.c[search.sort].desc()


def _fitting(found: Sequence[sa.Row[tuple[str, int]]]) -> list[str]:
    """The keys of the first entries that fit; sizes are asked for first, so that no large value is read in vain."""
    taken: list[str] = []
    size = 0
    for row in found:
        size += row.size + ENTRY_OVERHEAD
        if taken and size > REPLY_BYTES:
            break
        taken.append(row.key)
    return taken


def _read(connection: sa.Connection, search: Search, keys: Sequence[str]) -> list[StoredEntry]:
    """The entries of these keys, in this order."""
    query = sa.select(*COLUMNS).where(
        table.c.tenant_id == search.tenant_id, table.c.fleet_id == search.fleet_id, table.c.key.in_(keys)
    )
    entries = [stored_entry(row) for row in connection.execute(query)] if keys else []
    return sorted(entries, key=lambda entry: keys.index(entry.key))
