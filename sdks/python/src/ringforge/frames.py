"""The Phoenix V2 JSON wire: one text message is `[join_ref, ref, topic, event, payload]`."""

from __future__ import annotations

from typing import Any

import msgspec


class Frame(msgspec.Struct, array_like=True, frozen=True):
    """One message, either way; the payload stays undecoded until somebody needs it."""

    join_ref: str | None
    ref: str | None
    topic: str
    event: str
    payload: msgspec.Raw


class Reply(msgspec.Struct, frozen=True):
    """The payload of a `phx_reply`."""

    status: str
    response: msgspec.Raw


class Envelope(msgspec.Struct, frozen=True):
    """The payload of a push: what happened, and its place in the fleet's log if it is part of it."""

    payload: msgspec.Raw = msgspec.Raw(b"{}")
    epoch: str | None = None
    seq: int | None = None


_encoder = msgspec.json.Encoder()
_frames = msgspec.json.Decoder(Frame)
_replies = msgspec.json.Decoder(Reply)
_envelopes = msgspec.json.Decoder(Envelope)

decode_frame = _frames.decode
decode_reply = _replies.decode
decode_envelope = _envelopes.decode


def encode_payload(payload: Any) -> msgspec.Raw:
    """Any JSON-encodable value as text that is embedded as it is; `TypeError` for what JSON cannot say."""
    return msgspec.Raw(_encoder.encode(payload))


def encode_frame(frame: Frame) -> str:
    """As text: WebSocket text messages are what the hub reads."""
    return _encoder.encode(frame).decode()
