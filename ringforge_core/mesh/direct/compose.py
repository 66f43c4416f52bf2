"""From a request to the message, its letter for the inbox and its event for the bus."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from ringforge_core.errors import LimitReached
from ringforge_core.identity.ids import iso, new_id, now
from ringforge_core.mesh.direct.messages import MESSAGE_BYTES, Envelope, Message, Sender, SendMessage
from ringforge_core.mesh.direct.settings import DirectSettings
from ringforge_core.mesh.inbox import Letter
from ringforge_core.plugin import AgentSession, encode_message, encode_payload
from ringforge_core.ports.event_bus import Audience, Event

TOPIC = "direct"
URGENT = ("high", "critical")


class Composed(msgspec.Struct, frozen=True):
    """One message in its three shapes."""

    letter: Letter
    event: Event
    envelope: bytes
    recipient_id: str


def compose(agent: AgentSession, to: str, request: SendMessage, settings: DirectSettings) -> Composed:
    """Raises `LimitReached` when the message is too large."""
    content = {} if request.message is None else request.message
    encoded: Any = encode_payload(content)
    if len(memoryview(encoded)) > MESSAGE_BYTES:
        raise LimitReached(
            f"message is larger than {MESSAGE_BYTES} bytes.", reason="payload_too_large", field="message",
            fix="Share large data as a file and send a reference to it.",
        )  # fmt: skip
    message_id, at, sender = new_id("msg"), now(), Sender(agent.agent_id, agent.name)
    message = Message(
        message_id=message_id, sender=sender, correlation_id=request.correlation_id, message=encoded,
        timestamp=iso(at), ack=request.ack,
    )  # fmt: skip
    envelope = Envelope(
        message_id=message_id, sender=sender, to=to, correlation_id=request.correlation_id, message=encoded,
        timestamp=message.timestamp,
    )  # fmt: skip
    body = msgspec.Raw(encode_message(message))
    letter = Letter(
        tenant_id=agent.tenant_id, fleet_id=agent.fleet_id, message_id=message_id, push=Message.wire, body=body, at=at,
        expires_at=_expiry(at, content, settings), receipt_to=agent.agent_id, ack=request.ack,
    )  # fmt: skip
    event = Event(
        event_id=message_id, tenant_id=agent.tenant_id, fleet_id=agent.fleet_id, topic=TOPIC, push=Message.wire,
        body=body, at=at, key=agent.agent_id, agent_id=agent.agent_id, audience=Audience(agents=(to,)),
    )  # fmt: skip
    return Composed(letter, event, msgspec.json.encode(envelope), to)


def _expiry(at: datetime, content: Any, settings: DirectSettings) -> datetime:
    urgent = isinstance(content, dict) and content.get("priority") in URGENT
    return at + timedelta(seconds=settings.urgent_expires_seconds if urgent else settings.expires_seconds)
