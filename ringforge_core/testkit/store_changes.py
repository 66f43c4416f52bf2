"""What the Store's contract commits: an entry and the event that tells of it, in all the ways that can go wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec
import sqlalchemy as sa

from ringforge_core.errors import Conflict, NotFound, RingforgeError
from ringforge_core.ports.event_bus import Event, ReplayFilter
from ringforge_core.ports.store import Once, Store, Transaction

START = datetime(2026, 1, 1, tzinfo=UTC)
EVERYTHING = ReplayFilter(limit=10_000)

entries = sa.Table(
    "contract_entries",
    sa.MetaData(),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
)


class Put(msgspec.Struct, kw_only=True):
    """Insert an entry and tell the fleet of it; `trouble` makes it go wrong in one of the ways it can."""

    event: Event
    key: str
    trouble: str | None = None


class Stored(msgspec.Struct):
    key: str


class Broken(Exception):
    """A bug in a write function."""


def an_event(fleet_id: str = "fleet-a", tenant_id: str = "tenant-a", **fields: Any) -> Event:
    given = {"topic": "activity", "push": "activity:broadcast", "body": msgspec.Raw(b'{"n":1}'), "at": START, **fields}
    return Event(event_id=f"evt_{uuid4()}", tenant_id=tenant_id, fleet_id=fleet_id, **given)


def a_put(key: str | None = None, trouble: str | None = None, **fields: Any) -> Put:
    return Put(event=an_event(**fields), key=key or uuid4().hex, trouble=trouble)


def a_key(fingerprint: bytes = b"payload", scope: Mapping[str, str] | None = None) -> Once:
    given: dict[str, Any] = {"tenant_id": "tenant-a", "owner_id": "ag_1", "operation": "entry:put", **(scope or {})}
    return Once(key="k-1", fingerprint=fingerprint, **given)


def put(transaction: Transaction, commands: Sequence[Put]) -> list[Stored | RingforgeError]:
    """Returned refusals change nothing; what is raised comes after the change, to see it undone."""
    accepted = [command for command in commands if command.trouble != "returns a refusal"]
    if accepted:
        rows = [{"key": command.key, "tenant_id": command.event.tenant_id} for command in accepted]
        transaction.execute(entries.insert(), rows)
    for command in accepted:
        transaction.append(command.event)
        if command.trouble == "raises a refusal":
            raise NotFound("Nothing here.", reason="no_such_entry")
        if command.trouble == "has a bug":
            raise Broken
    return [Stored(command.key) if command in accepted else Conflict(reason="taken") for command in commands]


def make_entries(transaction: Transaction, commands: Sequence[None]) -> list[None]:
    transaction.execute(sa.schema.CreateTable(entries, if_not_exists=True))
    return [None for _ in commands]


async def stored_keys(store: Store) -> set[str]:
    return await store.read(lambda connection: set(connection.execute(sa.select(entries.c.key)).scalars()))


async def the_log(store: Store, fleet_id: str = "fleet-a", tenant_id: str = "tenant-a") -> tuple[Event, ...]:
    return (await store.events(tenant_id, fleet_id, EVERYTHING)).events
