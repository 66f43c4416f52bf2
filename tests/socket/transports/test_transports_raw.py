"""What only our own server does: the take-over, and RFC 6455 to the letter on the socket."""

from __future__ import annotations

import asyncio
import gc
import logging

import pytest
import websockets
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_websocket import BINARY, CLOSE, CONTINUATION, DEADLINE, PING, PONG, TEXT, RawClient, client_frame, close_payload

from ringforge_core.socket import uvicorn_protocol
from ringforge_core.socket.raw import EXTENSION, RawTransport
from ringforge_core.socket.rfc6455 import text_frame
from ringforge_core.socket.uvicorn_protocol import MAX_EARLY

SECRET = "rf_live_c2VjcmV0"


@pytest.fixture(autouse=True)
def _no_fault_is_logged(caplog):
    yield
    assert [record.getMessage() for record in caplog.get_records("call") if record.levelno >= logging.ERROR] == []


async def test_frames_that_come_before_the_accept_are_neither_lost_nor_doubled(raw_hub, wait_until):
    raw_hub.authenticated.clear()
    client = await RawClient.open(raw_hub.port, early=client_frame(b"with the request") + client_frame(b"cut in two")[:5])
    await wait_until(lambda: raw_hub.scopes)
    client.send(client_frame(b"cut in two")[5:] + client_frame(b"during authentication"))
    await raw_hub_has(raw_hub, wait_until, b"during authentication")
    raw_hub.authenticated.set()
    await client.upgraded()
    client.send(client_frame(b"afterwards"))
    expected = ["with the request", "cut in two", "during authentication", "afterwards"]
    assert [await client.text() for _ in expected] == expected
    assert [text.decode() for text in raw_hub.connections[0].texts] == expected


async def raw_hub_has(hub, wait_until, payload: bytes) -> None:
    """Wait until the server has read a frame with this payload, while nobody has accepted yet."""
    protocol = hub.scopes[0]["extensions"][EXTENSION]
    await wait_until(lambda: client_frame(payload) in protocol._early)


async def test_what_comes_before_the_accept_is_bounded(raw_hub, wait_until):
    raw_hub.authenticated.clear()
    client = await RawClient.open(raw_hub.port)
    client.send(client_frame(b"x" * 60_000) * 500)
    await wait_until(lambda: raw_hub.scopes)
    early = raw_hub.scopes[0]["extensions"][EXTENSION]._early
    await wait_until(lambda: len(early) > MAX_EARLY)
    await asyncio.sleep(0.1)  # time in which an unbounded hub would take in more
    assert len(early) < MAX_EARLY + (1 << 20)
    raw_hub.authenticated.set()
    await client.upgraded()
    for _ in range(500):
        assert len(await client.text()) == 60_000


async def test_a_client_that_leaves_during_authentication_harms_nobody(raw_hub, wait_until):
    raw_hub.authenticated.clear()
    client = await RawClient.open(raw_hub.port, early=client_frame(b"early"))
    await wait_until(lambda: raw_hub.scopes)
    client.vanish()
    await asyncio.sleep(0.05)
    raw_hub.authenticated.set()
    await raw_hub.serves()


async def test_nothing_is_lost_between_the_accept_and_the_take_over(raw_hub):
    raw_hub.accepted.clear()
    client = await RawClient.connect(raw_hub.port)
    client.send(client_frame(b"between"))
    await asyncio.sleep(0.05)
    raw_hub.accepted.set()
    assert await client.text() == "between"


async def test_a_client_that_leaves_between_the_accept_and_the_take_over_is_told_as_closed(raw_hub, wait_until):
    raw_hub.accepted.clear()
    client = await RawClient.connect(raw_hub.port)
    protocol = raw_hub.scopes[0]["extensions"][EXTENSION]
    client.vanish()
    await wait_until(lambda: protocol.disconnected)
    raw_hub.accepted.set()
    await wait_until(lambda: raw_hub.connections and raw_hub.connections[0].closed)
    assert raw_hub.connections[0].closed == [(1006, "")]
    assert not protocol.connections


@pytest.mark.parametrize("sent", [b"", b"GET /ws HTTP/1.1\r\nHost: "])
async def test_a_client_that_does_not_finish_its_request_does_not_stay(raw_hub, monkeypatch, sent):
    monkeypatch.setattr(uvicorn_protocol, "HEAD_TIMEOUT", 1.5)
    client = await RawClient.connect(raw_hub.port)
    reader, writer = await asyncio.open_connection("127.0.0.1", raw_hub.port)
    writer.write(sent)
    async with asyncio.timeout(DEADLINE):
        assert await reader.read() == b""
    client.send(client_frame(b"a finished one stays"))
    assert await client.text() == "a finished one stays"


async def test_a_taken_over_connection_leaves_nothing_of_asgi_behind(raw_hub):
    client, echo = await raw_hub.connect()
    assert isinstance(echo.transport, RawTransport)
    raw_hub.scopes.clear()
    await raw_hub.serves()
    raw_hub.scopes.clear()
    assert not alive("UpgradingHttpProtocol"), "freed at once, not by the garbage collector"
    gc.collect()
    assert not alive("HandoverProtocol", "ServerProtocol", "WebSocket")
    client.send(client_frame(b"still here"))
    assert await client.text() == "still here"


def alive(*names: str) -> list[object]:
    return [thing for thing in gc.get_objects() if type(thing).__name__ in names]


async def test_compression_is_not_agreed_on(raw_hub):
    client = await RawClient.connect(
        raw_hub.port, headers="Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
    )
    assert b"extensions" not in client.head.lower()
    assert b"server:" not in client.head.lower()


async def test_no_log_line_holds_a_key(raw_hub, caplog):
    caplog.set_level(1)
    for name in ("uvicorn", "uvicorn.access", "uvicorn.asgi", "websockets"):
        caplog.set_level(1, logger=name)
    logging.getLogger("uvicorn.access").addHandler(caplog.handler)
    await raw_hub.connect(f"/ws?api_key={SECRET}")
    refused = await RawClient.open(raw_hub.port, f"/ws?refuse&api_key={SECRET}")
    assert (await refused.ended()).startswith(b"HTTP/1.1 403 ")
    plain = await RawClient.connect(raw_hub.port, f"/plain?api_key={SECRET}")
    plain.vanish()
    reader, writer = await asyncio.open_connection("127.0.0.1", raw_hub.port)
    writer.write(f"GET /health?api_key={SECRET} HTTP/1.1\r\nhost: hub\r\nconnection: close\r\n\r\n".encode())
    assert (await reader.read()).endswith(b"ok")
    assert any("/ws" in record.getMessage() for record in caplog.records), "the accept is logged"
    assert SECRET not in caplog.text
    logging.getLogger("uvicorn.access").removeHandler(caplog.handler)


async def test_a_refused_connection_gets_403(raw_hub):
    client = await RawClient.open(raw_hub.port, "/ws?refuse", early=client_frame(b"too early"))
    assert (await client.ended()).startswith(b"HTTP/1.1 403 ")
    await raw_hub.serves()


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"GET /ws?" + b"x" * 20_000 + b" HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", b"414"),
        (b"GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX: " + b"x" * 9_000 + b"\r\n\r\n", b"431"),
        (b"GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", b"400"),
        (b"PUT /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", b"405"),
        (b"GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n\r\n", b"400"),
    ],
    ids=["long target", "long header", "no key", "not a GET", "with a body"],
)
async def test_an_upgrade_request_that_cannot_be_used_is_answered(raw_hub, request_head, status):
    reader, writer = await asyncio.open_connection("127.0.0.1", raw_hub.port)
    writer.write(request_head)
    async with asyncio.timeout(DEADLINE):
        assert (await reader.read()).split(b" ")[1] == status
    await raw_hub.serves()


async def test_a_route_that_stays_with_asgi_still_works(raw_hub):
    async with websockets.connect(f"ws://127.0.0.1:{raw_hub.port}/plain") as client:
        for message in ("hi", "x" * 100_000):
            await client.send(message)
            assert await client.recv() == message
        await (await client.ping())
    client = await RawClient.connect(raw_hub.port, "/plain", early=client_frame(b"early"))
    client.send(client_frame(b"late"))
    assert [await client.text(), await client.text()] == ["early", "late"]


async def test_an_error_after_the_take_over_closes_the_connection(raw_hub, wait_until):
    client, echo = await raw_hub.connect("/ws?fail")
    code, _ = await client.close_frame()
    assert code not in (1000, 1005)
    client.send(client_frame(close_payload(1011), CLOSE))
    await wait_until(lambda: echo.closed)


VIOLATIONS = {
    "no mask": (b"\x81\x02hi", 1002),
    "reserved bit": (client_frame(b"hi", TEXT | 0x40), 1002),
    "unknown opcode": (client_frame(b"", 3), 1002),
    "unknown control opcode": (client_frame(b"", 11), 1002),
    "fragmented ping": (client_frame(b"", PING, final=False), 1002),
    "long ping": (client_frame(b"x" * 126, PING), 1002),
    "continuation of nothing": (client_frame(b"hi", CONTINUATION), 1002),
    "text within a message": (client_frame(b"a", final=False) + client_frame(b"b"), 1002),
    "half a close code": (client_frame(b"\x03", CLOSE), 1002),
    "reserved close code": (client_frame(close_payload(1005), CLOSE), 1002),
    "close reason not UTF-8": (client_frame(close_payload(1000) + b"\xff", CLOSE), 1007),
    "text not UTF-8": (client_frame(b"caf\xe9"), 1007),
    "fragment not UTF-8": (client_frame(b"\xc0\xaf", final=False), 1007),
    "length not minimal": (b"\x81\xfe\x00\x02\x00\x00\x00\x00hi", 1002),
    "length past 2**63": (b"\x82\xff\x80" + b"\x00" * 7, 1002),
    "announces a giant": (b"\x81\xff\x00\x00\x00\x00\x40\x00\x00\x00", 1009),
    "fragments past the limit": (
        client_frame(b"x" * 600_000, BINARY, final=False) + client_frame(b"x" * 600_000, CONTINUATION)[:8],
        1009,
    ),
}


@pytest.mark.parametrize("name", VIOLATIONS)
async def test_a_violation_is_closed_with_its_code(raw_hub, wait_until, name):
    sent, code = VIOLATIONS[name]
    raw_hub.never_cut_off()
    client, echo = await raw_hub.connect()
    client.send(client_frame(b"before") + sent + client_frame(b"after"))
    assert await client.text() == "before"
    got, reason = await client.close_frame()
    assert got == code
    assert reason
    assert await client.ended() == b""
    await wait_until(lambda: echo.closed)
    assert echo.closed == [(code, reason)]
    assert echo.texts == [b"before"]
    await raw_hub.serves()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(min_size=1, max_size=200), min_size=1, max_size=5))
async def test_garbage_ends_in_a_close_code_and_harms_nobody(raw_hub, wait_until, pieces):
    client, echo = await raw_hub.connect()
    echo.echo = False
    for piece in pieces:
        client.send(piece)
        await asyncio.sleep(0)
    client.writer.write_eof()
    await client.ended()
    await wait_until(lambda: echo.closed)
    code, _ = echo.closed[0]
    assert len(echo.closed) == 1
    assert code in (1002, 1005, 1006, 1007, 1009) or code in range(1000, 5000)
    await raw_hub.serves()


async def test_a_ping_flood_from_a_client_that_does_not_read_costs_one_pong(raw_hub, wait_until):
    client, echo = await raw_hub.connect()
    client.writer.transport.pause_reading()
    while not echo.transport.paused:
        echo.transport.write(text_frame(b"x" * 65_000))
        await asyncio.sleep(0)
    before = echo.transport.buffered()
    client.send(b"".join(client_frame(b"%d" % n, PING) for n in range(10_000)) + client_frame(b"last", PING))
    client.send(client_frame(b"done"))
    echo.echo = False
    await wait_until(lambda: echo.texts)
    assert echo.transport.buffered() <= before
    client.writer.transport.resume_reading()
    while (frame := await client.frame()).opcode != PONG:
        pass
    assert frame.payload == b"last"


async def test_a_client_that_half_closes_and_does_not_read_is_cut_off(raw_hub, wait_until):
    client, echo = await raw_hub.connect()
    client.writer.transport.pause_reading()
    while not echo.transport.paused:
        echo.transport.write(text_frame(b"x" * 65_000))
        await asyncio.sleep(0)
    client.writer.write_eof()
    await wait_until(lambda: echo.closed)
    assert echo.closed == [(1006, "")]
    await wait_until(lambda: echo.transport not in echo.transport._connections)


async def test_our_close_is_followed_by_the_end_of_the_stream(raw_hub):
    """RFC 6455 7.1.1: the server ends the TCP connection, as soon as both close frames are through."""
    raw_hub.never_cut_off()
    client, echo = await raw_hub.connect()
    echo.transport.close(1001, "moving")
    assert await client.close_frame() == (1001, "moving")
    client.send(client_frame(close_payload(1001), CLOSE))
    assert await client.ended() == b""


async def test_a_close_reason_is_cut_to_what_fits(raw_hub):
    client, echo = await raw_hub.connect()
    echo.transport.close(1008, "\u00fc" * 100)
    assert await client.close_frame() == (1008, "\u00fc" * 61)


async def test_d34_the_address_of_a_trusted_proxy_only_is_believed(serving):
    for trusted, expected in (((), "127.0.0.1"), (("127.0.0.1",), "203.0.113.7")):
        async with serving(trusted_proxies=trusted) as hub:
            await RawClient.connect(hub.port, headers="X-Forwarded-For: 203.0.113.7\r\n")
            assert hub.scopes[0]["client"][0] == expected
