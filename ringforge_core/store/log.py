"""Number events, write them into the log and count them: the last thing of a commit."""

from __future__ import annotations

import secrets
import string
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from ringforge_core.errors import Conflict, NotFound, RingforgeError
from ringforge_core.ports.event_bus import Event
from ringforge_core.ports.store import FleetPosition, Transaction
from ringforge_core.store.event_counts import count_events
from ringforge_core.store.tables import events

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase

_ADVANCE = sa.text(
    "INSERT INTO fleet_logs (fleet_id, tenant_id, epoch, seq, trimmed_seq)"
    " VALUES (:fleet_id, :tenant_id, :epoch, :count, 0)"
    " ON CONFLICT (fleet_id) DO UPDATE SET seq = fleet_logs.seq + excluded.seq"
    " WHERE fleet_logs.tenant_id = excluded.tenant_id RETURNING epoch, seq, trimmed_seq"
)
"""Begin a fleet's log or move it on. The row stays locked until the commit, so the order of the numbers is the order of
the commits, also between hubs."""


_INSERT = events.insert()


def record(transaction: Transaction, appended: Sequence[Event]) -> list[Event]:
    """Number the events and insert them; returns them numbered, in the order they were appended."""
    numbered = _number(transaction, appended)
    if numbered:
        transaction.execute(_INSERT, [_row(event) for event in numbered])
        count_events(transaction, numbered)
    return numbered


def begin_logs(transaction: Transaction, commands: Sequence[tuple[str, str]]) -> list[FleetPosition | RingforgeError]:
    """The position of each `(tenant_id, fleet_id)`, whose log begins now if it has none."""
    return [_advance(transaction, *command, 0) or NotFound("There is no such fleet.") for command in commands]


def _advance(transaction: Transaction, tenant_id: str, fleet_id: str, count: int) -> FleetPosition | None:
    """Give out `count` numbers; None when the fleet's log is another tenant's."""
    values = {"fleet_id": fleet_id, "tenant_id": tenant_id, "epoch": _new_epoch(), "count": count}
    row = transaction.execute(_ADVANCE, values).one_or_none()
    return FleetPosition(row.epoch, row.seq, row.trimmed_seq + 1) if row else None


def _number(transaction: Transaction, appended: Sequence[Event]) -> list[Event]:
    logs: dict[tuple[str, str], tuple[str, Iterator[int]]] = {}
    counts = Counter((event.tenant_id, event.fleet_id) for event in appended)
    for (tenant_id, fleet_id), count in sorted(counts.items()):  # one order for all hubs, so that none deadlock
        position = _advance(transaction, tenant_id, fleet_id, count)
        if position is None:
            raise Conflict(f"The fleet {fleet_id} belongs to another tenant.")
        logs[tenant_id, fleet_id] = position.epoch, iter(range(position.seq - count + 1, position.seq + 1))
    numbered = []
    for event in appended:
        epoch, numbers = logs[event.tenant_id, event.fleet_id]
        numbered.append(msgspec.structs.replace(event, epoch=epoch, seq=next(numbers)))
    return numbered


def _row(event: Event) -> dict[str, Any]:
    return {
        "fleet_id": event.fleet_id,
        "seq": event.seq,
        "event_id": event.event_id,
        "tenant_id": event.tenant_id,
        "topic": event.topic,
        "push": event.push,
        "body": bytes(event.body).decode(),
        "at": event.at,
        "key": event.key,
        "kind": event.kind,
        "agent_id": event.agent_id,
        "tags": event.tags or None,
        "audience_agents": event.audience.agents,
        "audience_tags": event.audience.tags,
    }


def _new_epoch() -> str:
    number = secrets.randbelow(len(_ALPHABET) ** 8)
    return "".join(_ALPHABET[number // len(_ALPHABET) ** place % len(_ALPHABET)] for place in range(8))
