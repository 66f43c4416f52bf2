"""A letter, and the parcel that it goes into the inbox in."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A message, whoever it goes to. `body` is the text of the push `push`, in its envelope.

    `receipt_to` is told once for each recipient what became of it. With `ack` it stays until the agent acknowledges it.
    """

    tenant_id: str
    fleet_id: str
    message_id: str
    push: str
    body: msgspec.Raw
    at: datetime
    expires_at: datetime
    receipt_to: str | None = None
    ack: bool = False


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """A letter with its recipients, made by `InboxCapability.parcel`.

    `held` are the recipients that this process serves at once: their rows are claimed by it as they are written.
    """

    letter: Letter
    recipients: tuple[str, ...]
    held: frozenset[str]
    claimer: str
    held_until: datetime
    capacity: int


def body_of_attempt(body: bytes, number: int) -> bytes:
    """The push's text for the delivery of this number: from the second on it says which one it is."""
    return body if number == 1 else b'%b,"attempt":%d}}' % (body[:-2], number)
