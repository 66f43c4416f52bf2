"""Changes of entries, as one batch: read what is there, decide in order, write what came of it.

One writer at a time changes a fleet's entries, so what was read stays true until the commit. Their words are indexed later.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ringforge_core.errors import Conflict, NotFound, RingforgeError
from ringforge_core.identity.ids import iso, new_event_id, new_id, now
from ringforge_core.mesh.memory.databases import EntryKey, MemoryDatabase
from ringforge_core.mesh.memory.messages import Action, MemoryChanged, MemoryDeleted, MemorySet
from ringforge_core.mesh.memory.stored import StoredEntry
from ringforge_core.plugin import encode_message
from ringforge_core.plugin.schema import microseconds
from ringforge_core.ports.event_bus import Event
from ringforge_core.ports.store import Charge, Transaction

TOPIC = "memory"
RESOURCE = "memory_entries"
SYSTEM = "system"
SECOND = 1_000_000
FORMER_VERSIONS = 10
"""How many former versions of a key are kept."""


class SetEntry(msgspec.Struct):
    """`value`, `tags` and `metadata` are JSON text; None keeps what is there. `written` is what came of it."""

    tenant_id: str
    fleet_id: str
    key: str
    author: str
    event_id: str
    value: str | None
    type: str | None
    tags: str | None
    metadata: str | None
    ttl: int | None
    if_version: int | None
    written: StoredEntry | None = None


class DeleteEntry(msgspec.Struct, frozen=True):
    tenant_id: str
    fleet_id: str
    key: str
    author: str
    if_version: int | None


class ExpireEntries(msgspec.Struct, frozen=True):
    """Delete those whose time is over."""

    keys: tuple[EntryKey, ...]


Command = SetEntry | DeleteEntry | ExpireEntries
Result = MemorySet | MemoryDeleted | RingforgeError | None


class MemoryWrites:
    """`run` is the write function of all changes, so that they share their batches."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    def run(self, tx: Transaction, commands: Sequence[Command]) -> list[Result]:
        keys = {key for command in commands for key in _keys(command)}
        batch = _Batch(tx, self._database.read_many(tx, keys))
        results = [batch.run(command) for command in commands]
        batch.store(self._database)
        return results


class _Batch:
    """The entries of a batch while its commands run over them."""

    def __init__(self, tx: Transaction, found: dict[EntryKey, StoredEntry]) -> None:
        self._tx = tx
        self._now = now()
        self._at = microseconds(self._now)
        self._timestamp = iso(self._now)
        self._entries = found
        self._former: list[StoredEntry] = []
        self._changed: dict[EntryKey, None] = {}

    def run(self, command: Command) -> Result:
        if isinstance(command, ExpireEntries):
            self._expire(command.keys)
            return None
        (key,) = _keys(command)
        entry = self._entries.get(key)
        if isinstance(command, SetEntry):
            return self._set(key, entry, command)
        return self._delete(key, entry, command)

    def store(self, database: MemoryDatabase) -> None:
        """Write the last state of each entry, and those before it into the history."""
        if self._changed:
            self._tx.execute(database.upsert, [msgspec.structs.asdict(self._entries[key]) for key in self._changed])
        if self._former:
            self._tx.execute(database.keep_former, [_former_row(entry) for entry in self._former])

    def _set(self, key: EntryKey, entry: StoredEntry | None, command: SetEntry) -> MemorySet | RingforgeError:
        living = entry if entry is not None and entry.lives(self._at) else None
        if conflict := _conflict(living, command.if_version):
            return conflict
        if living is None:
            if entry is not None and entry.deleted_at is None:
                entry = self._remove(key, entry, SYSTEM)
            if refusal := self._tx.charge(Charge(command.tenant_id, RESOURCE)):
                return refusal
            after = self._created(command, 1 if entry is None else entry.version + 1)
        else:
            after = self._updated(living, command)
        self._put(key, entry, after)
        self._append(after, "set", command.author, command.event_id)
        command.written = after
        return MemorySet(id=after.id, key=after.key, version=after.version)

    def _delete(self, key: EntryKey, entry: StoredEntry | None, command: DeleteEntry) -> MemoryDeleted | RingforgeError:
        living = entry if entry is not None and entry.lives(self._at) else None
        if living is None:
            return no_entry()
        if conflict := _conflict(living, command.if_version):
            return conflict
        self._remove(key, living, command.author)
        return MemoryDeleted()

    def _expire(self, keys: Sequence[EntryKey]) -> None:
        for key in keys:
            entry = self._entries.get(key)
            if entry is not None and entry.deleted_at is None and not entry.lives(self._at):
                self._remove(key, entry, SYSTEM)

    def _remove(self, key: EntryKey, entry: StoredEntry, author: str) -> StoredEntry:
        after = msgspec.structs.replace(
            entry, version=entry.version + 1, value="null", type="", tags="[]", metadata="{}", author=author,
            updated_at=self._at, expires_at=None, deleted_at=self._at,
        )  # fmt: skip
        self._put(key, entry, after)
        self._tx.charge(Charge(entry.tenant_id, RESOURCE, -1))
        self._append(after, "delete", author, new_event_id())
        return after

    def _put(self, key: EntryKey, before: StoredEntry | None, after: StoredEntry) -> None:
        if before is not None:
            self._former.append(before)
        self._entries[key] = after
        self._changed[key] = None

    def _created(self, command: SetEntry, version: int) -> StoredEntry:
        return StoredEntry(
            tenant_id=command.tenant_id,
            fleet_id=command.fleet_id,
            key=command.key,
            id=new_id("mem"),
            version=version,
            value='""' if command.value is None else command.value,
            type="text" if command.type is None else command.type,
            tags="[]" if command.tags is None else command.tags,
            metadata="{}" if command.metadata is None else command.metadata,
            author=command.author,
            access_count=0,
            created_at=self._at,
            updated_at=self._at,
            expires_at=self._expiry(command.ttl),
        )

    def _updated(self, entry: StoredEntry, command: SetEntry) -> StoredEntry:
        return msgspec.structs.replace(
            entry,
            version=entry.version + 1,
            value=entry.value if command.value is None else command.value,
            type=entry.type if command.type is None else command.type,
            tags=entry.tags if command.tags is None else command.tags,
            metadata=entry.metadata if command.metadata is None else command.metadata,
            author=command.author,
            updated_at=self._at,
            expires_at=self._expiry(command.ttl),
        )

    def _expiry(self, ttl: int | None) -> int | None:
        return None if ttl is None else self._at + ttl * SECOND

    def _append(self, entry: StoredEntry, action: Action, author: str, event_id: str) -> None:
        push = MemoryChanged(key=entry.key, action=action, author=author, timestamp=self._timestamp, version=entry.version)
        self._tx.append(
            Event(
                event_id=event_id,
                tenant_id=entry.tenant_id,
                fleet_id=entry.fleet_id,
                topic=TOPIC,
                push=MemoryChanged.wire,
                body=msgspec.Raw(encode_message(push)),
                at=self._now,
                key=entry.key,
                kind=action,
                agent_id=author,
            )
        )


def no_entry() -> NotFound:
    return NotFound("There is no entry under this key.", fix="See memory:list for the keys of your fleet.", field="key")


def _keys(command: Command) -> tuple[EntryKey, ...]:
    if isinstance(command, ExpireEntries):
        return command.keys
    return ((command.tenant_id, command.fleet_id, command.key),)


def _conflict(living: StoredEntry | None, if_version: int | None) -> Conflict | None:
    version = 0 if living is None else living.version
    if if_version is None or if_version == version:
        return None
    return Conflict(
        f"The entry's version is {version}, not {if_version}." if living else "There is no entry under this key.",
        reason="version_conflict",
        fix="Read the entry again and decide anew; if_version 0 stands for no entry.",
        version=version,
    )


def _former_row(entry: StoredEntry) -> dict[str, Any]:
    return {
        "fleet_id": entry.fleet_id,
        "key": entry.key,
        "slot": entry.version % FORMER_VERSIONS,
        "tenant_id": entry.tenant_id,
        "version": entry.version,
        "value": entry.value,
        "type": entry.type,
        "tags": entry.tags,
        "metadata": entry.metadata,
        "author": entry.author,
        "updated_at": entry.updated_at,
        "deleted_at": entry.deleted_at,
    }
