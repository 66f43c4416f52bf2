"""RFC 6455 framing, the server's side: masked client frames in, unmasked server frames out.

Bytes in, calls out; no socket is known here. What a client may not send ends in a `Violation` with the close code that
tells it so. Extensions are never negotiated, so reserved bits are always wrong.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Protocol

from websockets.speedups import apply_mask

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
FINAL = MASKED = 0x80
FINAL_TEXT = FINAL | TEXT
MAX_CONTROL_PAYLOAD = 125

PROTOCOL_ERROR, NO_CODE, VANISHED, NOT_UTF8, TOO_BIG = 1002, 1005, 1006, 1007, 1009

_OPCODES = frozenset((0, TEXT, BINARY, CLOSE, PING, PONG))
_REGISTERED = frozenset((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014))
_Utf8Decoder = codecs.getincrementaldecoder("utf-8")


class Violation(Exception):
    """The client broke the protocol; `code` is what to close with, the message is the close frame's reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Sink(Protocol):
    """Takes what a parser found. It may set the parser's `halted` from within a call, to get nothing more for now."""

    def on_text(self, message: bytes) -> None:
        """A whole text message, valid UTF-8."""

    def on_binary(self, message: bytes) -> None:
        """A whole binary message."""

    def on_ping(self, payload: bytes) -> None:
        """A ping, to be answered with the same payload."""

    def on_close(self, code: int, reason: str) -> None:
        """The client's close frame; `code` is 1005 when it held none. The parser is halted: nothing may follow."""


class FrameParser:
    """Parses the frames of one client, in whatever pieces they come. Messages hold at most `max_message` bytes."""

    __slots__ = ("_backlog", "_max_message", "_message", "_needed", "_utf8", "halted")

    def __init__(self, max_message: int, backlog: bytes = b"") -> None:
        self._max_message = max_message
        self._backlog: bytes | bytearray = bytearray(backlog)
        """What was not parsed yet: the beginning of a frame, or anything while halted."""
        self._needed = 0
        """How many bytes the backlog must have before parsing it again can get further."""
        self._message: bytearray | None = None
        """The fragments of a message so far, joined, so that any number of empty ones costs nothing."""
        self._utf8: codecs.IncrementalDecoder | None = None
        """Set while the fragments are text."""
        self.halted = False
        """While set, bytes are kept and nothing is delivered. Clear it and feed `b""` to go on."""

    def feed(self, data: bytes, sink: Sink) -> None:
        """Deliver to `sink` what `data` completes; raises `Violation`."""
        if self._backlog:
            self._backlog += data
            if self.halted or len(self._backlog) < self._needed:
                return
            data = bytes(self._backlog)
            self._backlog = b""
        position = self._deliver(data, sink)
        if position < len(data):
            self._backlog = bytearray(data[position:])

    def _deliver(self, data: bytes, sink: Sink) -> int:
        """Parse frames while they are complete; return the position after the last one.

        Nearly every frame is a text in one piece, so that case is spelled out here; `_frame` knows all of them.
        """
        position, end, limit = 0, len(data), self._max_message
        while end - position >= 2 and not self.halted:
            length = data[position + 1] - MASKED
            body = position + 6
            if length == 126 and end >= body:
                length = data[position + 2] << 8 | data[position + 3]
                body += 2
            elif length == 127:
                length = -1
            after = body + length
            if data[position] == FINAL_TEXT and 0 <= length <= limit and after <= end and self._message is None:
                if length < 126 < after - position - 6:
                    raise _longer_than_needed()
                message = apply_mask(data[body:after], data[body - 4 : body])
                if not message.isascii():
                    _check_utf8(message)
                position = after
                sink.on_text(message)
            else:
                after = self._frame(data, position, sink)
                if after == position:
                    return position
                position = after
        self._needed = 2
        return position
