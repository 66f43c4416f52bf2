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
FINAL = 0x80
MASKED = 0x80
FINAL_TEXT = FINAL | TEXT
MAX_CONTROL_PAYLOAD = 125

PROTOCOL_ERROR, NO_CODE, VANISHED, NOT_UTF8, TOO_BIG = 1002, 1005, 1006, 1007, 1009

_OPCODES = frozenset((0, TEXT, BINARY, CLOSE, PING, PONG))
_REGISTERED = frozenset((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014))
_Utf8Decoder = codecs.getincrementaldecoder("utf-8")


def too_big(max_message: int) -> str:
    """The reason that goes with `TOO_BIG`."""
    return f"a message holds at most {max_message} bytes"


class Violation(Exception):
    """The client broke the protocol; `code` is what to close with, the message is the close frame's reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Sink(Protocol):
    """Takes what a parser found. It may set the parser's `halted` from within a call, to get nothing more for now."""

    def on_text(self, message: bytes, /) -> None:
        """A whole text message, valid UTF-8."""

    def on_binary(self, message: bytes, /) -> None:
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

        Nearly every frame is a short text in one piece, so that case is spelled out here; `_frame` knows all of them.
        """
        position, end, limit = 0, len(data), self._max_message
        while end - position >= 2 and not self.halted:
            length = data[position + 1] - MASKED
            body = position + 6
            if length == 126 and end >= body:
                length = data[position + 2] << 8 | data[position + 3]
                body += 2
                if length < 126:
                    length = -1
            elif length == 127:
                length = -1
            after = body + length
            if data[position] == FINAL_TEXT and 0 <= length <= limit and after <= end and self._message is None:
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

    def _frame(self, data: bytes, position: int, sink: Sink) -> int:
        """Parse any one frame; return the position after it, or `position` itself when it is not complete."""
        first, second = data[position], data[position + 1]
        opcode = first & 0x0F
        self._check_header(first, second)
        length, mask = second & 0x7F, position + 2
        if length >= 126:
            mask += 2 if length == 126 else 8
            if len(data) < mask:
                self._needed = mask - position
                return position
            length = _extended_length(data[position + 2 : mask])
        if opcode < CLOSE and length + len(self._message or b"") > self._max_message:
            raise Violation(TOO_BIG, too_big(self._max_message))
        body = mask + 4
        after = body + length
        if len(data) < after:
            self._needed = after - position
            return position
        payload = apply_mask(data[body:after], data[mask:body])
        if opcode >= CLOSE:
            self._control(opcode, payload, sink)
        else:
            self._part(opcode, bool(first & FINAL), payload, sink)
        return after

    def _check_header(self, first: int, second: int) -> None:
        opcode = first & 0x0F
        if first & 0x70:
            raise Violation(PROTOCOL_ERROR, "reserved bits are set, no extension was agreed on")
        if opcode not in _OPCODES:
            raise Violation(PROTOCOL_ERROR, "unknown opcode")
        if not second & MASKED:
            raise Violation(PROTOCOL_ERROR, "a client must mask its frames")
        if opcode >= CLOSE:
            if not first & FINAL or second & 0x7F > MAX_CONTROL_PAYLOAD:
                raise Violation(PROTOCOL_ERROR, "a control frame comes in one piece, with at most 125 bytes")
        elif (opcode == 0) != (self._message is not None):
            raise Violation(PROTOCOL_ERROR, "a continuation without a beginning, or a beginning within a message")

    def _control(self, opcode: int, payload: bytes, sink: Sink) -> None:
        if opcode == PING:
            sink.on_ping(payload)
        elif opcode == CLOSE:
            code, reason = _read_close(payload)
            self.halted = True
            sink.on_close(code, reason)

    def _part(self, opcode: int, final: bool, payload: bytes, sink: Sink) -> None:
        """Take a data frame: a whole message, or one fragment of it. Text is checked as its fragments come."""
        if opcode == TEXT:
            self._utf8 = _Utf8Decoder()
        if self._utf8 is not None:
            try:
                self._utf8.decode(payload, final)
            except UnicodeDecodeError as error:
                raise Violation(NOT_UTF8, "text must be UTF-8") from error
        if self._message is None:
            self._message = bytearray()
        self._message += payload
        if final:
            deliver = sink.on_binary if self._utf8 is None else sink.on_text
            message, self._message, self._utf8 = bytes(self._message), None, None
            deliver(message)


def _extended_length(field: bytes) -> int:
    length = int.from_bytes(field, "big")
    if length >> 63:
        raise Violation(PROTOCOL_ERROR, "the highest bit of a length must be 0")
    if length < (126 if len(field) == 2 else 0x10000):
        raise Violation(PROTOCOL_ERROR, "a length must be written in its shortest form")
    return length


def _check_utf8(text: bytes) -> None:
    try:
        text.decode()
    except UnicodeDecodeError as error:
        raise Violation(NOT_UTF8, "text must be UTF-8") from error


def _read_close(payload: bytes) -> tuple[int, str]:
    if not payload:
        return NO_CODE, ""
    code = int.from_bytes(payload[:2], "big")  # half a code, a single byte, is none of these either
    if not (code in _REGISTERED or 3000 <= code <= 4999):
        raise Violation(PROTOCOL_ERROR, "not a close code")
    _check_utf8(payload[2:])
    return code, payload[2:].decode()


def text_frame(message: bytes) -> bytes:
    """A whole text message as one server frame. `message` must be valid UTF-8."""
    length = len(message)
    if length < 126:
        return b"%c%c%b" % (FINAL_TEXT, length, message)
    if length < 0x10000:
        return b"%c\x7e%b%b" % (FINAL_TEXT, length.to_bytes(2, "big"), message)
    return b"%c\x7f%b%b" % (FINAL_TEXT, length.to_bytes(8, "big"), message)


def pong_frame(payload: bytes) -> bytes:
    """The answer to a ping with this payload, of at most 125 bytes."""
    return b"%c%c%b" % (FINAL | PONG, len(payload), payload)


def close_frame(code: int, reason: str = "") -> bytes:
    """A close frame. `NO_CODE` makes an empty one; a reason past 123 bytes is cut between two characters."""
    if code == NO_CODE:
        return b"%c\x00" % (FINAL | CLOSE)
    text = reason.encode()[: MAX_CONTROL_PAYLOAD - 2].decode(errors="ignore").encode()
    return b"%c%c%b%b" % (FINAL | CLOSE, 2 + len(text), code.to_bytes(2, "big"), text)


def text_messages(frames: bytes) -> Iterator[bytes]:
    """The messages in server text frames that `text_frame` made, joined."""
    position = 0
    while position < len(frames):
        length = frames[position + 1]
        body = position + 2
        if length >= 126:
            body += 2 if length == 126 else 8
            length = int.from_bytes(frames[position + 2 : body], "big")
        position = body + length
        yield frames[body:position]
