"""What goes over the wire, declared once: requests, replies and pushes are msgspec structs.

A reply is a bare object, or enveloped when it names a `wire` event; a push is always enveloped:
`{"type": "activity", "event": "broadcast", "payload": {…}}` for `wire = "activity:broadcast"`.
"""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar

import msgspec

_encoder = msgspec.json.Encoder()


class Request(msgspec.Struct, kw_only=True):
    """Base of what an agent sends. Unknown fields are ignored; a null for a field that cannot be null counts as absent."""

    whole: ClassVar[str | None] = None
    """The field that takes the whole payload when it is absent or null; older clients leave its wrapping out."""


class Reply(msgspec.Struct, kw_only=True):
    """Base of what the hub answers; `wire` is None for a bare object."""

    wire: ClassVar[str | None] = None


class Push(msgspec.Struct, kw_only=True):
    """Base of what the hub sends by itself; `wire` is the event's name."""

    wire: ClassVar[str]


def Reason(reason: str, description: str | None = None) -> msgspec.Meta:  # noqa: N802 — reads as a type in Annotated[]
    """Annotate a request's field with the `reason` that a bad value is answered with, instead of `invalid_payload`."""
    return msgspec.Meta(description=description, extra={"reason": reason})


@cache
def _envelope_head(wire: str) -> bytes:
    family, _, event = wire.partition(":")
    return b'{"type":"%b","event":"%b","payload":' % (family.encode(), event.encode())


def encode_message(message: Reply | Push) -> bytes:
    """The JSON text of a reply or push, in its envelope if it has one."""
    wire = message.wire
    if wire is None:
        return _encoder.encode(message)
    return _envelope_head(wire) + _encoder.encode(message) + b"}"


def encode_payload(payload: Any) -> msgspec.Raw:
    """Any JSON-encodable value as text that is embedded as it is."""
    return msgspec.Raw(_encoder.encode(payload))
