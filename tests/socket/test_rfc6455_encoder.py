"""The server's frames, read back by another implementation: the client of `websockets`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from ringforge_core.socket.rfc6455 import close_frame, pong_frame, text_frame, text_messages


def as_a_client_reads_it(data: bytes) -> list[Frame]:
    client = ClientProtocol(parse_uri("ws://hub/"), state=State.OPEN, max_size=None)
    client.receive_data(data)
    assert client.parser_exc is None
    return client.events_received()


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 300_000])
def test_texts_of_every_length(size):
    (frame,) = as_a_client_reads_it(text_frame(b"x" * size))
    assert (frame.opcode, bytes(frame.data), frame.fin) == (Opcode.TEXT, b"x" * size, True)


@given(st.lists(st.one_of(st.text(max_size=300), st.integers(65_500, 65_600).map(lambda size: "x" * size)), max_size=8))
def test_joined_frames_are_taken_apart_again(texts):
    messages = [text.encode() for text in texts]
    joined = b"".join(map(text_frame, messages))
    assert list(text_messages(joined)) == messages
    assert [bytes(frame.data) for frame in as_a_client_reads_it(joined)] == messages


def test_a_pong_has_the_payload_of_the_ping():
    (frame,) = as_a_client_reads_it(pong_frame(b"p" * 125))
    assert (frame.opcode, bytes(frame.data)) == (Opcode.PONG, b"p" * 125)


@pytest.mark.parametrize(
    ("code", "reason", "payload"),
    [
        (1000, "", b"\x03\xe8"),
        (1008, "b\u00fcrned", b"\x03\xf0b\xc3\xbcrned"),
        (1008, "x" * 200, b"\x03\xf0" + b"x" * 123),
        (1008, "x" + "\u20ac" * 100, b"\x03\xf0x" + "\u20ac".encode() * 40),
        (1008, "\u00fc" * 100, b"\x03\xf0" + "\u00fc".encode() * 61),
        (1005, "", b""),
    ],
)
def test_a_close_frame_fits_and_cuts_no_character(code, reason, payload):
    (frame,) = as_a_client_reads_it(close_frame(code, reason))
    assert (frame.opcode, bytes(frame.data)) == (Opcode.CLOSE, payload)
