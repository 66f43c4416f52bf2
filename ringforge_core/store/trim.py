"""Forget old events, a slice at a time, so that no commit has to wait for a long deletion."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from ringforge_core.ports.store import Transaction
from ringforge_core.store.tables import events, fleet_logs

SLICE = 1_000


class Trim(msgspec.Struct, frozen=True):
    """Delete these numbers of one fleet's log, oldest first."""

    tenant_id: str
    fleet_id: str
    numbers: tuple[int, ...]


def find_old(
    connection: sa.Connection, tenant_id: str, fleet_id: str, topic: str | None, before: datetime
) -> tuple[int, ...]:
    """The oldest numbers to trim; fewer than a slice when these are the last."""
    query = (
        sa.select(events.c.seq)
        .where(
            events.c.tenant_id == tenant_id,
            events.c.fleet_id == fleet_id,
            events.c.at < before,
            *([] if topic is None else [events.c.topic == topic]),
        )
        .order_by(events.c.seq)
        .limit(SLICE)
    )
    return tuple(connection.execute(query).scalars())


def write_trims(transaction: Transaction, commands: Sequence[Trim]) -> list[int]:
    """Returns how many were deleted; the log counts as whole only after the newest of them."""
    return [_trim(transaction, command) for command in commands]


def _trim(transaction: Transaction, command: Trim) -> int:
    scope = events.c.tenant_id == command.tenant_id, events.c.fleet_id == command.fleet_id
    deleted = transaction.execute(events.delete().where(*scope, events.c.seq.in_(command.numbers))).rowcount
    newest = command.numbers[-1]
    transaction.execute(
        fleet_logs.update()
        .where(
            fleet_logs.c.tenant_id == command.tenant_id,
            fleet_logs.c.fleet_id == command.fleet_id,
            fleet_logs.c.trimmed_seq < newest,
        )
        .values(trimmed_seq=newest)
    )
    return deleted
