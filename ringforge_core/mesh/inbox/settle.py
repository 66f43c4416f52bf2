"""Take letters out of the inbox, for one of two reasons: delivered, or expired. The receipt is in the same commit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
import sqlalchemy as sa

from ringforge_core.identity.ids import iso, new_event_id, now
from ringforge_core.mesh.inbox.messages import RECEIPTS, Receipt
from ringforge_core.mesh.inbox.tables import entries, letters
from ringforge_core.plugin import encode_message
from ringforge_core.ports.event_bus import Audience, Event
from ringforge_core.ports.store import Transaction

SLICE = 500
"""Letters that are taken out by one statement."""

_DELETE_ENTRIES = entries.delete().where(entries.c.position == sa.bindparam("of_position"))
_IS_NOWHERE = ~sa.exists().where(entries.c.message_id == letters.c.message_id)


class Settlement(msgspec.Struct, frozen=True):
    """A letter that was delivered to one agent."""

    tenant_id: str
    fleet_id: str
    agent_id: str
    message_id: str


def settle(tx: Transaction, commands: Sequence[Sequence[Settlement]]) -> list[int]:
    """Take out what was delivered; returns how many of each command's letters still were in the inbox."""
    wanted = list(dict.fromkeys(each for command in commands for each in command))
    found: dict[Settlement, sa.Row[Any]] = {}
    for start in range(0, len(wanted), SLICE):
        found |= _find(tx, wanted[start : start + SLICE])
    _take_out(tx, list(found.values()), "delivered", now())
    return [sum(found.pop(each, None) is not None for each in command) for command in commands]


def expire(tx: Transaction, instants: Sequence[datetime]) -> list[int]:
    """Take out up to `SLICE` letters that expired before each instant and are not being pushed; returns how many."""
    return [_expire(tx, at) for at in instants]


def _expire(tx: Transaction, at: datetime) -> int:
    not_in_work = sa.or_(entries.c.claimed_until.is_(None), entries.c.claimed_until <= at)
    query = _entries_with_letters().where(letters.c.expires_at <= at, not_in_work)
    rows = tx.execute(query.order_by(letters.c.expires_at).limit(SLICE).with_for_update(of=entries, skip_locked=True)).all()
    _take_out(tx, rows, "expired", at)
    tx.execute(letters.delete().where(letters.c.expires_at <= at, _IS_NOWHERE))  # two hubs settled its last two at once
    return len(rows)


def _find(tx: Transaction, settlements: Sequence[Settlement]) -> dict[Settlement, sa.Row[Any]]:
    key = (entries.c.tenant_id, entries.c.fleet_id, entries.c.agent_id, entries.c.message_id)
    keys = [msgspec.structs.astuple(each) for each in settlements]
    query = _entries_with_letters().where(sa.tuple_(*key).in_(keys)).with_for_update(of=entries)
    rows = tx.execute(query).all()
    return {Settlement(row.tenant_id, row.fleet_id, row.agent_id, row.message_id): row for row in rows}


def _entries_with_letters() -> sa.Select[Any]:
    return sa.select(entries, letters.c.receipt_to).join(letters, letters.c.message_id == entries.c.message_id)


def _take_out(tx: Transaction, rows: Sequence[sa.Row[Any]], status: Literal["delivered", "expired"], at: datetime) -> None:
    if not rows:
        return
    tx.execute(_DELETE_ENTRIES, [{"of_position": row.position} for row in rows])
    message_ids = sorted({row.message_id for row in rows})
    for start in range(0, len(message_ids), SLICE):
        chunk = message_ids[start : start + SLICE]
        tx.execute(letters.delete().where(letters.c.message_id.in_(chunk), _IS_NOWHERE))
    for row in rows:
        if row.receipt_to is not None:
            tx.append(_receipt(row, status, at))


def _receipt(row: sa.Row[Any], status: Literal["delivered", "expired"], at: datetime) -> Event:
    receipt = Receipt(message_id=row.message_id, to=row.agent_id, status=status, timestamp=iso(at))
    return Event(
        event_id=new_event_id(),
        tenant_id=row.tenant_id,
        fleet_id=row.fleet_id,
        topic=RECEIPTS,
        push=Receipt.wire,
        body=msgspec.Raw(encode_message(receipt)),
        at=at,
        key=row.receipt_to,
        agent_id=row.agent_id,
        audience=Audience(agents=(row.receipt_to,)),
    )
