"""A conversation page by page, and the write that notes a message as read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from ringforge_core.errors import NotFound, RingforgeError
from ringforge_core.identity.ids import iso, new_event_id, now
from ringforge_core.mesh.direct.messages import MarkedRead, MessageRead
from ringforge_core.mesh.direct.tables import conversation_of
from ringforge_core.mesh.direct.tables import direct_messages as table
from ringforge_core.mesh.inbox import RECEIPTS
from ringforge_core.mesh.past import REPLY_BYTES
from ringforge_core.plugin import encode_message
from ringforge_core.ports.event_bus import Audience, Event
from ringforge_core.ports.store import Transaction

_NOTE_READ = table.update().where(table.c.position == sa.bindparam("of_position"))


class ConversationQuery(msgspec.Struct, frozen=True):
    """The newest `limit` messages of two agents, older than the message `before`."""

    tenant_id: str
    fleet_id: str
    agent_id: str
    partner_id: str
    limit: int
    before: str | None


class Page(msgspec.Struct, frozen=True):
    """Oldest first; `before` is where the page before this one ends, None when there is none."""

    envelopes: list[msgspec.Raw]
    before: str | None


class Reading(msgspec.Struct, frozen=True):
    """An agent says that it has read a message."""

    tenant_id: str
    fleet_id: str
    reader_id: str
    message_id: str


def read_page(connection: sa.Connection, query: ConversationQuery) -> Page | None:
    """None when there is no message `before` in this conversation."""
    of_both = (
        table.c.tenant_id == query.tenant_id,
        table.c.fleet_id == query.fleet_id,
        table.c.conversation == conversation_of(query.agent_id, query.partner_id),
    )
    older: list[sa.ColumnElement[bool]] = []
    if query.before is not None:
        position = connection.execute(
            sa.select(table.c.position).where(*of_both, table.c.message_id == query.before)
        ).scalar()
        if position is None:
            return None
        older = [table.c.position < position]
    newest = sa.select(table.c.position, table.c.message_id, table.c.size).where(*of_both, *older)
    rows = connection.execute(newest.order_by(table.c.position.desc()).limit(query.limit + 1)).all()
    taken = _fitting(rows[: query.limit])
    texts = connection.execute(
        sa.select(table.c.envelope)
        .where(*of_both, table.c.position.in_([row.position for row in taken]))
        .order_by(table.c.position)
    ).scalars()
    more = len(rows) > len(taken)
    return Page([msgspec.Raw(text.encode()) for text in texts], taken[-1].message_id if more else None)


def mark_read(tx: Transaction, readings: Sequence[Reading]) -> list[MarkedRead | RingforgeError]:
    """Note each message as read by its recipient; its sender is told the first time."""
    key = (table.c.tenant_id, table.c.fleet_id, table.c.recipient_id, table.c.message_id)
    keys = sorted({msgspec.structs.astuple(reading) for reading in readings})
    query = sa.select(table.c.position, table.c.sender_id, table.c.read_at, *key).where(sa.tuple_(*key).in_(keys))
    found = tx.execute(query.with_for_update()).all()
    rows = {Reading(row.tenant_id, row.fleet_id, row.recipient_id, row.message_id): row for row in found}
    at = now()
    unread = [row for row in rows.values() if row.read_at is None]
    if unread:
        tx.execute(_NOTE_READ, [{"of_position": row.position, "read_at": at} for row in unread])
    for row in unread:
        push = MessageRead(message_id=row.message_id, read_by=row.recipient_id, timestamp=iso(at))
        tx.append(
            Event(
                event_id=new_event_id(),
                tenant_id=row.tenant_id,
                fleet_id=row.fleet_id,
                topic=RECEIPTS,
                push=MessageRead.wire,
                body=msgspec.Raw(encode_message(push)),
                at=at,
                key=row.sender_id,
                agent_id=row.recipient_id,
                audience=Audience(agents=(row.sender_id,)),
            )
        )
    return [
        MarkedRead() if reading in rows else NotFound("No such message was sent to you.", field="message_id")
        for reading in readings
    ]


def _fitting(rows: Sequence[Any]) -> list[Any]:
    """The first that fit into one reply; one at least, if there is one."""
    taken: list[Any] = []
    size = 0
    for row in rows:
        size += row.size + 1
        if taken and size > REPLY_BYTES:
            break
        taken.append(row)
    return taken
