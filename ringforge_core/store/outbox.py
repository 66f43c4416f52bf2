"""The outbox: which numbers of the log a bus outside of the store has not got yet.

A row stands for a whole range, written in the commit of its events, so it costs a commit one row a fleet. A hub hands its
ranges of a fleet over in order; so everything of its own up to what was handed over last is done.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from ringforge_core.ports.event_bus import Event
from ringforge_core.ports.store import Transaction
from ringforge_core.store.tables import event_bus_in_use, fleet_logs, outbox

_INSERT = outbox.insert()
_SETTLE = outbox.delete().where(
    outbox.c.fleet_id == sa.bindparam("of_fleet"),
    outbox.c.tenant_id == sa.bindparam("of_tenant"),
    outbox.c.node == sa.bindparam("of_node"),
    outbox.c.last_seq <= sa.bindparam("until"),
)


class Range(msgspec.Struct, frozen=True):
    """Events of one fleet, both ends included."""

    tenant_id: str
    fleet_id: str
    first_seq: int
    last_seq: int


class Settled(msgspec.Struct, frozen=True):
    """What `node` handed over: for each `(tenant_id, fleet_id)` everything of its own up to this number."""

    node: str
    until: dict[tuple[str, str], int]


class Adoption(msgspec.Struct, frozen=True):
    """`heir` hands over what `node`, which is gone, did not."""

    node: str
    heir: str


class BusChange(msgspec.Struct, frozen=True):
    """The bus in use from now on; `node` carries over what the log still has, unless the bus reads the store's own."""

    bus: str
    node: str
    log_in_store: bool


def put_into_outbox(tx: Transaction, node: str, events: Sequence[Event]) -> None:
    """The ranges of one commit: its numbers have no hole within a fleet."""
    ranges: dict[str, list[Event]] = {}
    for event in events:
        ranges.setdefault(event.fleet_id, []).append(event)
    tx.execute(_INSERT, [_row(node, of_fleet) for of_fleet in ranges.values()])


def settle(tx: Transaction, commands: Sequence[Settled]) -> list[None]:
    rows = [
        {"of_node": command.node, "of_tenant": tenant_id, "of_fleet": fleet_id, "until": seq}
        for command in commands
        for (tenant_id, fleet_id), seq in command.until.items()
    ]
    if rows:
        tx.execute(_SETTLE, rows)
    return [None] * len(commands)


def adopt(tx: Transaction, commands: Sequence[Adoption]) -> list[int]:
    """Returns how many ranges changed hands; of several heirs the first one gets all."""
    return [
        tx.execute(outbox.update().where(outbox.c.node == command.node).values(node=command.heir)).rowcount
        for command in commands
    ]


def change_bus(tx: Transaction, commands: Sequence[BusChange]) -> list[bool]:
    """Whether the bus is another one than before."""
    return [_change_bus(tx, command) for command in commands]


def read_ranges(connection: sa.Connection, node: str, limit: int) -> list[Range]:
    """What the node has to hand over, each fleet's in order."""
    query = (
        sa.select(outbox.c.tenant_id, outbox.c.fleet_id, outbox.c.first_seq, outbox.c.last_seq)
        .where(outbox.c.node == node)
        .order_by(outbox.c.fleet_id, outbox.c.first_seq)
        .limit(limit)
    )
    return [Range(*row) for row in connection.execute(query)]


def count_events(connection: sa.Connection, node: str) -> int:
    """How many events the node has to hand over."""
    amount = sa.func.sum(outbox.c.last_seq - outbox.c.first_seq + 1)
    return int(connection.execute(sa.select(amount).where(outbox.c.node == node)).scalar() or 0)


def _row(node: str, events: Sequence[Event]) -> dict[str, object]:
    first, last = events[0], events[-1]
    return {
        "fleet_id": first.fleet_id,
        "first_seq": first.seq,
        "last_seq": last.seq,
        "tenant_id": first.tenant_id,
        "node": node,
    }


def _change_bus(tx: Transaction, command: BusChange) -> bool:
    before = tx.execute(sa.select(event_bus_in_use.c.name)).scalar()
    if before == command.bus:
        return False
    tx.execute(event_bus_in_use.delete())
    tx.execute(event_bus_in_use.insert(), {"name": command.bus})
    tx.execute(outbox.delete())
    if not command.log_in_store:
        logs = tx.execute(sa.select(fleet_logs).where(fleet_logs.c.seq > fleet_logs.c.trimmed_seq)).all()
        rows = [
            {"fleet_id": log.fleet_id, "first_seq": log.trimmed_seq + 1, "last_seq": log.seq,
             "tenant_id": log.tenant_id, "node": command.node}
            for log in logs
        ]  # fmt: skip
        if rows:
            tx.execute(_INSERT, rows)
    return True
