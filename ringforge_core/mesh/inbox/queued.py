"""What waits for an agent, as `message:queued` shows it."""

from __future__ import annotations

from datetime import datetime

import msgspec
import sqlalchemy as sa

from ringforge_core.mesh.inbox.put import Address
from ringforge_core.mesh.inbox.tables import entries, letters
from ringforge_core.mesh.past import REPLY_BYTES


class _Envelope(msgspec.Struct):
    payload: msgspec.Raw


_decode = msgspec.json.Decoder(_Envelope).decode


def read_queued(connection: sa.Connection, address: Address, *, at: datetime, limit: int) -> tuple[list[msgspec.Raw], int]:
    """The oldest letters, as many as fit into one reply, and how many there are in all."""
    tenant_id, fleet_id, agent_id = address
    waiting = (
        sa.select(letters.c.message_id, letters.c.size)
        .join(entries, entries.c.message_id == letters.c.message_id)
        .where(
            entries.c.tenant_id == tenant_id,
            entries.c.fleet_id == fleet_id,
            entries.c.agent_id == agent_id,
            letters.c.expires_at > at,
        )
    )
    total = connection.execute(sa.select(sa.func.count()).select_from(waiting.subquery())).scalar_one()
    fitting: list[str] = []
    size = 0
    for row in connection.execute(waiting.order_by(entries.c.position).limit(limit)):
        size += row.size + len(agent_id) + 8
        if fitting and size > REPLY_BYTES:
            break
        fitting.append(row.message_id)
    query = sa.select(letters.c.message_id, letters.c.body).where(
        letters.c.tenant_id == tenant_id, letters.c.fleet_id == fleet_id, letters.c.message_id.in_(fitting)
    )
    bodies = {row.message_id: row.body.encode() for row in connection.execute(query)}
    return [_addressed(bodies[message_id], agent_id) for message_id in fitting], total


def _addressed(body: bytes, agent_id: str) -> msgspec.Raw:
    """The push's payload, with its recipient."""
    payload = bytes(_decode(body).payload)
    return msgspec.Raw(b'%b,"to":%b}' % (payload[:-1], msgspec.json.encode(agent_id)))
