"""What agents send and get about direct messages; source: wire protocol 3.4."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ringforge_core.mesh.fields import STORABLE
from ringforge_core.plugin import Push, Reply, Request

DASHBOARD = "dashboard"
"""The address of the human operator: always valid."""

MESSAGE_BYTES = 100_000

AgentId = Annotated[str, Meta(min_length=1, max_length=100, pattern=STORABLE)]
MessageId = Annotated[str, Meta(min_length=1, max_length=100, pattern=STORABLE)]


class Sender(msgspec.Struct):
    agent_id: str
    name: str | None


class SendMessage(Request):
    """`message` is any JSON of at most 100 KB; by convention an object with `type`, `ref` and `priority`.

    With `priority` high or critical it waits longer for an agent that is away. An answer carries the `correlation_id` of
    what it answers. With `ack` it is sent again until the recipient acknowledges it with `message:ack`.
    """

    to: AgentId | None = None
    message: Any = None
    correlation_id: Annotated[str, Meta(max_length=200)] | None = None
    ack: bool = False


class MessageAccepted(Reply, omit_defaults=True):
    """`delivered`: at least one live connection of the recipient got it. `queued`: it waits in the recipient's inbox.
    `failed`: it was not taken, because of `reason`; `message_id` is null then."""

    wire = "direct:delivered"

    message_id: str | None
    to: str
    status: Literal["delivered", "queued", "failed"]
    reason: str | None = None


class Message(Push, omit_defaults=True):
    """A message to you. `ack`: acknowledge it with `message:ack`. `attempt` above 1: it may have reached you before."""

    wire = "direct:message"

    message_id: str
    sender: Sender = msgspec.field(name="from")
    correlation_id: str | None
    message: Any
    timestamp: str
    ack: bool = False
    attempt: int = 1


class Envelope(msgspec.Struct, kw_only=True):
    """A message as the history shows it."""

    message_id: str
    sender: Sender = msgspec.field(name="from")
    to: str
    correlation_id: str | None
    message: Any
    timestamp: str


class GetConversation(Request):
    """The newest `limit` messages with this agent; `before` is the `message_id` that they must be older than."""

    partner: AgentId = msgspec.field(name="with")
    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    before: MessageId | None = None


class Conversation(Reply):
    """Oldest first. `before` asks for the page before this one; null when this is the first. `count` may be less than
    `limit` when no more fit into one message."""

    wire = "direct:history"

    partner: str = msgspec.field(name="with")
    messages: list[Envelope]
    count: int
    before: str | None


class MessageHistory(Conversation):
    wire = "message:history"


class MarkRead(Request):
    message_id: MessageId


class MarkedRead(Reply):
    status: Literal["ack"] = "ack"


class MessageRead(Push):
    """The recipient has read your message; told once."""

    wire = "message:read"

    message_id: str
    read_by: str
    timestamp: str


class StartTyping(Request):
    to: AgentId


class Typing(Push):
    """An agent is writing to you."""

    wire = "message:typing"

    agent_id: str
    name: str | None
    timestamp: str
