"""The Phoenix V2 JSON wire: one text message is `[join_ref, ref, topic, event, payload]`.

Source: the serializer `Phoenix.Socket.V2.JSONSerializer` of Phoenix 1.8 and phoenix.js. Refs are echoed as the JSON
scalar that came, so they are kept as raw text and never decoded. What is encoded here are whole RFC 6455 text frames.
"""

from __future__ import annotations

import msgspec

from ringforge_core.socket.rfc6455 import text_frame

NULL = b"null"
_SCALAR_STARTS = frozenset(b'"-0123456789ntf')

json_text = msgspec.json.Encoder().encode


class Frame(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A client's message; items past the fifth are ignored."""

    join_ref: msgspec.Raw
    ref: msgspec.Raw
    topic: str
    event: str
    payload: msgspec.Raw


_decoder = msgspec.json.Decoder(Frame)


def decode_frame(message: bytes) -> Frame:
    """Parse one text message; raises `ValueError` for anything but an array of a frame's shape."""
    try:
        frame = _decoder.decode(message)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if bytes(frame.join_ref)[0] not in _SCALAR_STARTS or bytes(frame.ref)[0] not in _SCALAR_STARTS:
        raise ValueError("a ref must be a JSON scalar")
    return frame


def reply(join_ref: bytes, ref: bytes, topic: bytes, status: bytes, response: bytes) -> bytes:
    """A `phx_reply`. `topic` and `response` are JSON text, `status` is `ok` or `error`."""
    return text_frame(b'[%b,%b,%b,"phx_reply",{"status":"%b","response":%b}]' % (join_ref, ref, topic, status, response))


def push(join_ref: bytes, topic: bytes, event: str, payload: bytes) -> bytes:
    """A push to one channel, or to all of a topic with `NULL` as `join_ref`."""
    return text_frame(b'[%b,null,%b,"%b",%b]' % (join_ref, topic, event.encode(), payload))


def closed(join_ref: bytes, topic: bytes) -> bytes:
    """`phx_close`: the channel ended in order; Phoenix sends the join_ref in both places."""
    return text_frame(b'[%b,%b,%b,"phx_close",{}]' % (join_ref, join_ref, topic))
