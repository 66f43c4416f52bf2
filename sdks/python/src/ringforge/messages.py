"""Direct messages and what becomes of them, as an agent sees them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ringforge.activity import Sender
from ringforge.log import Position, RawPush

if TYPE_CHECKING:
    from ringforge.direct_messages import DirectMessages


class Sent(msgspec.Struct, frozen=True):
    """`delivered`: a live connection of the recipient got it. `queued`: it waits in the recipient's inbox."""

    message_id: str
    to: str
    status: Literal["delivered", "queued"]


class DirectMessage(msgspec.Struct, frozen=True):
    """A message as a conversation's history shows it; `content` is any JSON."""

    message_id: str
    sender: Sender = msgspec.field(name="from")
    content: Any = msgspec.field(name="message")
    timestamp: datetime
    correlation_id: str | None = None
    to: str | None = None


class Receipt(msgspec.Struct, frozen=True):
    """What became of a message of yours: brought to `to`, expired in its inbox, or read by it."""

    message_id: str
    to: str
    status: Literal["delivered", "expired", "read"]
    timestamp: datetime
    position: Position | None = None


class Typing(msgspec.Struct, frozen=True):
    """An agent is writing to you."""

    agent_id: str
    timestamp: datetime
    name: str | None = None


class IncomingMessage:
    """A message to this agent; it can be answered. `content` is any JSON."""

    def __init__(self, direct: DirectMessages, message: DirectMessage, *, needs_ack: bool, attempt: int) -> None:
        self.message_id = message.message_id
        self.sender = message.sender
        self.content = message.content
        self.correlation_id = message.correlation_id
        self.timestamp = message.timestamp
        self.needs_ack = needs_ack
        """The sender wants to be sure: without `ack()` the hub brings it again, to this agent's next process too."""
        self.attempt = attempt
        """Above 1: the hub cannot tell whether an earlier process of this agent has had it."""
        self._direct = direct

    def __repr__(self) -> str:
        return f"<message {self.message_id} from {self.sender.agent_id}: {self.content!r}>"

    async def reply(self, content: Any, *, ack: bool = False, idempotency_key: str | None = None) -> Sent:
        """Answer the sender; a `request` there returns with it."""
        return await self._direct.send(
            self.sender.agent_id, content, correlation_id=self.correlation_id or self.message_id, ack=ack,
            idempotency_key=idempotency_key,
        )  # fmt: skip

    async def ack(self) -> None:
        """Done with it: the hub will not bring it again. Does nothing for a message that needs none."""
        if self.needs_ack:
            await self._direct.acknowledge(self.message_id)

    def nack(self) -> None:
        """Not done with it: take it again when the hub brings it again, which is after its visibility time (30 s)."""
        self._direct.forget(self.message_id)

    async def mark_read(self) -> None:
        """Tell the sender that it was read."""
        await self._direct.mark_read(self.message_id)


class _Read(msgspec.Struct):
    message_id: str
    read_by: str
    timestamp: datetime


def decode_receipt(push: RawPush) -> Receipt:
    if push.name == "message:read":
        read = msgspec.json.decode(push.payload, type=_Read)
        return Receipt(read.message_id, read.read_by, "read", read.timestamp, push.position)
    receipt = msgspec.json.decode(push.payload, type=Receipt)
    return msgspec.structs.replace(receipt, position=push.position)


def decode_typing(push: RawPush) -> Typing:
    return msgspec.json.decode(push.payload, type=Typing)
