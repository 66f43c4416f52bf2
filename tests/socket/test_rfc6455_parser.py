"""The frame parser by itself: any message in any pieces, and the right code for what may not come."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_websocket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, client_frame, close_payload

from ringforge_core.socket.rfc6455 import FrameParser, Violation

MIB = 1 << 20


class Seen(list):
    """What a parser delivered, in order."""

    halt: Callable[[], None] | None = None

    def on_text(self, message: bytes) -> None:
        self.append(("text", message))
        if self.halt:
            self.halt()

    def on_binary(self, message: bytes) -> None:
        self.append(("binary", message))

    def on_ping(self, payload: bytes) -> None:
        self.append(("ping", payload))

    def on_close(self, code: int, reason: str) -> None:
        self.append(("close", code, reason))


def parse(*pieces: bytes, max_message: int = MIB) -> tuple[list, int | None]:
    """What was delivered, and the code of the violation that ended it."""
    parser, seen = FrameParser(max_message), Seen()
    try:
        for piece in pieces:
            parser.feed(piece, seen)
    except Violation as violation:
        return seen, violation.code
    return seen, None


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [*pieces, data]


masks = st.binary(min_size=4, max_size=4)
pings = st.lists(st.binary(max_size=125), max_size=2)
short_messages = st.one_of(
    st.text(max_size=300).map(lambda text: ("text", text.encode())),
    st.binary(max_size=300).map(lambda data: ("binary", data)),
)
messages = short_messages | st.integers(65_500, 65_600).map(lambda size: ("text", b"x" * size))


@st.composite
def conversations(draw: st.DrawFn, messages: st.SearchStrategy = messages) -> tuple[bytes, list]:
    """The bytes of some messages, fragmented with control frames between the fragments; and what must come out."""
    wire, expected = b"", []
    for kind, payload in draw(st.lists(messages, max_size=6)):
        parts = cut(payload, draw(st.lists(st.integers(0, 200), max_size=3)))
        for number, part in enumerate(parts):
            for ping in draw(pings):
                wire += client_frame(ping, PING, mask=draw(masks)) + client_frame(ping, PONG, mask=draw(masks))
                expected.append(("ping", ping))
            opcode = CONTINUATION if number else TEXT if kind == "text" else BINARY
            wire += client_frame(part, opcode, final=number == len(parts) - 1, mask=draw(masks))
        expected.append((kind, payload))
    return wire, expected


@given(conversations(), st.lists(st.integers(0, 70_000), max_size=20))
def test_the_same_messages_come_out_however_they_are_cut(conversation, sizes):
    wire, expected = conversation
    assert parse(*cut(wire, sizes)) == (expected, None)


@given(conversations(short_messages))
def test_the_same_messages_come_out_of_single_bytes(conversation):
    wire, expected = conversation
    assert parse(*(wire[i : i + 1] for i in range(len(wire)))) == (expected, None)


@given(st.lists(st.binary(max_size=60), max_size=10))
def test_any_bytes_end_in_messages_or_a_code(pieces):
    seen, code = parse(*pieces)
    assert code in (None, 1002, 1007, 1009)
    for kind, payload, *_ in seen:
        if kind == "text":
            payload.decode()


@given(conversations(short_messages), st.data())
def test_a_flipped_bit_ends_in_messages_or_a_code(conversation, data):
    wire = bytearray(conversation[0])
    if wire:
        wire[data.draw(st.integers(0, min(len(wire), 400) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    _, code = parse(bytes(wire))
    assert code in (None, 1002, 1007, 1009)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 128, 255, 256, 65_535, 65_536, 65_537, MIB])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_every_length_encoding(size, opcode):
    frame = client_frame(b"a" * size, opcode)
    kind = "text" if opcode == TEXT else "binary"
    assert parse(frame) == ([(kind, b"a" * size)], None)
    assert parse(frame[:9], frame[9:] + client_frame(b"next")) == ([(kind, b"a" * size), ("text", b"next")], None)


@pytest.mark.parametrize("opcode", range(16))
def test_only_the_opcodes_of_the_rfc(opcode):
    _, code = parse(client_frame(b"", opcode))
    assert code == (None if opcode in (TEXT, BINARY, CLOSE, PING, PONG) else 1002)


@pytest.mark.parametrize("bit", [0x40, 0x20, 0x10])
@pytest.mark.parametrize("opcode", [TEXT, BINARY, CLOSE, PING, PONG])
def test_reserved_bits_are_refused_as_soon_as_they_come(bit, opcode):
    assert parse(client_frame(b"payload", opcode | bit)[:2]) == ([], 1002)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x81\x00",
        b"\x82\x7e",
        b"\x89\x05",
        client_frame(b"", PING, final=False)[:2],
        client_frame(b"x" * 126, PING)[:2],
        client_frame(b"x" * 126, CLOSE)[:2],
        b"\x80\x80",
        client_frame(b"a", final=False) + b"\x81\x80",
        client_frame(b"a", BINARY, final=False) + b"\x02\x80",
        b"\x81\xfe\x00\x7d",
        b"\x82\xfe\x00\x00",
        b"\x81\xff" + (65_535).to_bytes(8, "big"),
        b"\x81\xff" + (1 << 63).to_bytes(8, "big"),
    ],
    ids=[
        "text without mask", "binary without mask", "ping without mask", "fragmented ping", "long ping", "long close",
        "continuation of nothing", "text within a text", "binary within a binary", "125 in 16 bits", "0 in 16 bits",
        "65,535 in 64 bits", "the highest bit",
    ],
)  # fmt: skip
def test_a_protocol_error_needs_no_more_than_the_header(sent):
    assert parse(sent) == ([], 1002)
    assert parse(sent + b"\x00" * 200) == ([], 1002), "also when the whole frame is there"
    assert parse(*(sent[i : i + 1] for i in range(len(sent)))) == ([], 1002)


@pytest.mark.parametrize(
    "text",
    [
        b"\xff",
        b"\xc0\xaf",
        b"\xe0\x80\xaf",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\x80",
        b"caf\xc3",
        b"\xf8\x88\x80\x80\x80",
    ],
    ids=["ff", "overlong /", "overlong 3", "surrogate", "past 10ffff", "lone continuation", "cut off", "five bytes"],
)
def test_text_must_be_utf8(text):
    assert parse(client_frame(text)) == ([], 1007)
    assert parse(client_frame(b"good", final=False), client_frame(text, CONTINUATION)) == ([], 1007)
    assert parse(client_frame(text, BINARY)) == ([("binary", text)], None)


def test_a_character_may_be_cut_between_fragments():
    euro = "\u20ac".encode()
    sent = [client_frame(euro[:1], final=False), client_frame(euro[1:2], CONTINUATION, final=False)]
    assert parse(*sent, client_frame(euro[2:], CONTINUATION)) == ([("text", euro)], None)


def test_bad_text_is_refused_with_its_fragment_not_with_its_message():
    assert parse(client_frame(b"\xe0\x80", final=False)) == ([], 1007)


def test_too_big_is_refused_before_it_is_held():
    header = client_frame(b"x" * 1001)[:8]
    assert parse(header, max_message=1000) == ([], 1009)
    assert parse(b"\x82\xff" + (1 << 40).to_bytes(8, "big")) == ([], 1009)
    assert parse(client_frame(b"x" * 1000), max_message=1000)[1] is None
    assert parse(client_frame(b"x" * 101), max_message=100) == ([], 1009)


def test_fragments_count_together():
    half = client_frame(b"x" * 600, BINARY, final=False)
    assert parse(half, client_frame(b"x" * 401, CONTINUATION)[:4], max_message=1000) == ([], 1009)
    assert parse(half, client_frame(b"x" * 400, CONTINUATION), max_message=1000)[1] is None
    whole = client_frame(b"x" * 900)
    assert parse(whole, whole, max_message=1000)[1] is None, "messages do not count together"


@pytest.mark.parametrize(
    "code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
)
def test_close_codes_that_may_be_sent(code):
    assert parse(client_frame(close_payload(code, "b\u00fc"), CLOSE)) == ([("close", code, "b\u00fc")], None)


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535])
def test_close_codes_that_may_not(code):
    assert parse(client_frame(close_payload(code), CLOSE)) == ([], 1002)


def test_other_close_payloads():
    assert parse(client_frame(b"", CLOSE)) == ([("close", 1005, "")], None)
    assert parse(client_frame(b"\x03", CLOSE)) == ([], 1002)
    assert parse(client_frame(close_payload(1000) + b"\xed\xa0\x80", CLOSE)) == ([], 1007)
    assert parse(client_frame(close_payload(1000, "x" * 123), CLOSE)) == ([("close", 1000, "x" * 123)], None)


def test_what_follows_a_close_is_ignored():
    sent = client_frame(close_payload(1000), CLOSE)
    assert parse(sent + client_frame(b"after"), b"\xff\xff", client_frame(b"")) == ([("close", 1000, "")], None)


def test_a_halted_parser_keeps_what_comes():
    parser, seen = FrameParser(MIB), Seen()

    def halt() -> None:
        parser.halted = True

    seen.halt = halt
    parser.feed(client_frame(b"1") + client_frame(b"2") + client_frame(b"3")[:4], seen)
    parser.feed(client_frame(b"3")[4:], seen)
    assert seen == [("text", b"1")]
    for expected in (b"2", b"3"):
        parser.halted = False
        parser.feed(b"", seen)
        assert seen[-1] == ("text", expected)
    assert len(seen) == 3


def test_any_number_of_empty_fragments_costs_no_memory():
    parser, seen = FrameParser(MIB), Seen()
    parser.feed(client_frame(b"", final=False), seen)
    many = client_frame(b"", CONTINUATION, final=False) * 1000
    tracemalloc.start()
    try:
        for _ in range(50):
            parser.feed(many, seen)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 10_000
    parser.feed(client_frame(b"end", CONTINUATION), seen)
    assert seen == [("text", b"end")]


def test_a_big_message_in_single_bytes_takes_linear_time():
    frame = client_frame(b"x" * (MIB // 2))
    parser, seen = FrameParser(MIB), Seen()
    started = time.process_time()
    for i in range(len(frame)):
        parser.feed(frame[i : i + 1], seen)
    assert len(seen) == 1
    assert time.process_time() - started < 3, "copying it for every byte takes a minute"
