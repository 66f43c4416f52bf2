"""The write of a message: history, inbox and event in one commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from ringforge_core.errors import Refused, RingforgeError
from ringforge_core.identity.tables import agents
from ringforge_core.mesh.direct.compose import Composed
from ringforge_core.mesh.direct.messages import MessageAccepted
from ringforge_core.mesh.direct.tables import conversation_of, direct_messages
from ringforge_core.mesh.inbox import Parcel, put
from ringforge_core.ports.store import Transaction

_INSERT = direct_messages.insert().inline()
_ANSWERED = direct_messages.update().where(
    direct_messages.c.tenant_id == sa.bindparam("of_tenant"), direct_messages.c.message_id == sa.bindparam("of_message")
)
_COUNT = (
    agents.update()
    .where(agents.c.tenant_id == sa.bindparam("of_tenant"), agents.c.agent_id == sa.bindparam("of_agent"))
    .values(total_messages=agents.c.total_messages + sa.bindparam("more"))
)


class Undeliverable(Refused):
    """The recipient's inbox does not take the message: `not_found` or `queue_full`."""


class Sending(msgspec.Struct, frozen=True):
    message: Composed
    parcel: Parcel


def write_messages(tx: Transaction, sendings: Sequence[Sending]) -> list[MessageAccepted | RingforgeError]:
    """Accept each message, or refuse it with `Undeliverable`."""
    refusals = put(tx, [sending.parcel for sending in sendings])
    accepted: list[Composed] = []
    results: list[MessageAccepted | RingforgeError] = []
    for sending, refused in zip(sendings, refusals, strict=True):
        message = sending.message
        reason = refused.get(message.recipient_id)
        if reason is None:
            accepted.append(message)
            results.append(MessageAccepted(message_id=message.letter.message_id, to=message.recipient_id, status="queued"))
        else:
            results.append(Undeliverable(reason=reason))
    if accepted:
        tx.execute(_INSERT, [_row(message) for message in accepted])
        _count(tx, accepted)
        for message in accepted:
            tx.append(message.event)
    return results


def note_delivered(tx: Transaction, events: Sequence[tuple[str, str]]) -> list[None]:
    """The senders of these messages, `(tenant_id, message_id)`, are answered `delivered`, and so is each repeat."""
    tx.execute(
        _ANSWERED,
        [{"of_tenant": tenant_id, "of_message": message_id, "status": "delivered"} for tenant_id, message_id in events],
    )
    return [None] * len(events)


def _row(message: Composed) -> dict[str, Any]:
    event = message.event
    return {
        "message_id": event.event_id,
        "tenant_id": event.tenant_id,
        "fleet_id": event.fleet_id,
        "conversation": conversation_of(event.key, message.recipient_id),
        "sender_id": event.key,
        "recipient_id": message.recipient_id,
        "envelope": message.envelope.decode(),
        "size": len(message.envelope),
        "status": "queued",
        "at": event.at,
        "read_at": None,
    }


def _count(tx: Transaction, accepted: Sequence[Composed]) -> None:
    sent = Counter((message.event.tenant_id, message.event.key) for message in accepted)
    rows = [
        {"of_tenant": tenant_id, "of_agent": agent_id, "more": count}
        for (tenant_id, agent_id), count in sorted(sent.items())  # one order for all hubs, so that none deadlock
    ]
    tx.execute(_COUNT, rows)
