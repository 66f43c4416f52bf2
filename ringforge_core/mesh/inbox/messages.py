"""What agents send and get about their inbox; source: wire protocol 3.4 and 6.9."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from ringforge_core.mesh.fields import STORABLE
from ringforge_core.plugin import Push, Reply, Request

RECEIPTS = "receipts"
"""The bus topic of what became of messages; delivered to their senders live and at a resume."""

MessageId = Annotated[str, Meta(min_length=1, max_length=100, pattern=STORABLE)]


class Receipt(Push):
    """What became of a message, once for each: it left the inbox of `to`, or expired there."""

    wire = "message:receipt"

    message_id: str
    to: str
    status: Literal["delivered", "expired"]
    timestamp: str


class GetQueued(Request):
    limit: Annotated[int, Meta(ge=1, le=500)] = 50


class QueuedMessages(Reply):
    """What waits for the agent, oldest first, not consumed; `count` may be less than `total`."""

    wire = "message:queued"

    messages: list[dict[str, Any]]
    count: int
    total: int


class AcknowledgeMessage(Request):
    message_id: MessageId


class Acknowledged(Reply):
    status: Literal["ack"] = "ack"
