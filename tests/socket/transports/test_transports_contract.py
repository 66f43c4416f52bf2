"""What a connection may expect of its transport, whichever carries it."""

from __future__ import annotations

import asyncio
import json

import pytest
import websockets
from raw_websocket import CLOSE, CONTINUATION, PING, PONG, TEXT, client_frame, close_payload

from ringforge_core.socket.rfc6455 import text_frame


def url(hub) -> str:
    return f"ws://127.0.0.1:{hub.port}/ws?vsn=2.0.0"


@pytest.mark.parametrize("message", ["", "hi", "x" * 125, "x" * 126, "ü" * 70_000, "\N{ROCKET}" * 200_000])
async def test_a_text_comes_back_whole(hub, message):
    async with websockets.connect(url(hub), max_size=None) as client:
        await client.send(message)
        assert await client.recv() == message
        await client.send([message, message[:5], "end"])
        assert await client.recv() == message + message[:5] + "end"


async def test_a_binary_message_arrives(hub, wait_until):
    async with websockets.connect(url(hub)) as client:
        await client.send(b"\x00\xff" * 40_000)
        await wait_until(lambda: hub.connections[0].binaries)
    assert hub.connections[0].binaries == [b"\x00\xff" * 40_000]
    assert hub.connections[0].texts == []


async def test_many_messages_in_one_write_keep_their_order(hub):
    client, echo = await hub.connect()
    client.send(b"".join(client_frame(b"%d" % n) for n in range(1000)))
    assert [await client.text() for _ in range(1000)] == [str(n) for n in range(1000)]
    assert echo.alive > 0


async def test_a_message_in_single_bytes_arrives(hub):
    client, _ = await hub.connect()
    for byte in client_frame(b"h\xc3\xa9llo") + client_frame(b"x" * 300):
        client.send(bytes((byte,)))
        await asyncio.sleep(0)
    assert await client.text() == "h\u00e9llo"
    assert await client.text() == "x" * 300


async def test_a_ping_between_two_fragments_is_answered_with_its_payload(hub):
    client, _ = await hub.connect()
    client.send(client_frame(b"one ", TEXT, final=False) + client_frame(b"p" * 125, PING))
    assert await client.frame() == (PONG, b"p" * 125)
    client.send(client_frame(b"unasked", PONG) + client_frame(b"two", CONTINUATION))
    assert await client.text() == "one two"


async def test_joined_frames_arrive_as_single_messages(hub):
    client, echo = await hub.connect()
    messages = [b"a", b"b" * 200, b"c" * 70_000, b""]
    echo.transport.write(b"".join(map(text_frame, messages)))
    assert [(await client.text()).encode() for _ in messages] == messages


async def test_closing_sends_what_is_pending_first(hub, wait_until):
    hub.never_cut_off()
    client, echo = await hub.connect()
    for n in range(200):
        echo.transport.write(text_frame(json.dumps([n, "x" * 10_000]).encode()))
    echo.transport.close(1008, "the key was revoked")
    echo.transport.write(text_frame(b"too late"))
    echo.transport.close(1011, "a second close does nothing")
    for n in range(200):
        assert json.loads(await client.text())[0] == n
    assert await client.frame() == (CLOSE, close_payload(1008, "the key was revoked"))
    client.send(client_frame(close_payload(1008), CLOSE))
    assert await client.ended() == b""
    await wait_until(lambda: echo.closed)
    assert echo.closed == [(1008, "the key was revoked")]


async def test_a_connection_can_be_turned_away_before_it_has_begun(hub, wait_until):
    hub.never_cut_off()
    client, echo = await hub.connect("/ws?turn_away")
    assert await client.text() == "sorry"
    assert await client.frame() == (CLOSE, close_payload(1008, "not today"))
    client.send(client_frame(close_payload(1008), CLOSE))
    await client.ended()
    await wait_until(lambda: echo.closed)
    assert echo.closed == [(1008, "not today")]


async def test_nothing_is_delivered_after_a_close(hub, wait_until):
    hub.never_cut_off()
    client, echo = await hub.connect()
    echo.transport.close(1000)
    client.send(client_frame(b"crossed the close on its way"))
    assert await client.close_frame() == (1000, "")
    client.send(client_frame(close_payload(1000), CLOSE))
    await client.ended()
    await wait_until(lambda: echo.closed)
    assert echo.texts == []


async def test_the_peers_close_is_answered_and_told_once(hub, server, wait_until):
    hub.never_cut_off()
    client, echo = await hub.connect()
    client.send(client_frame(close_payload(4000, "b\u00fc"), CLOSE) + client_frame(b"after the close"))
    assert (await client.close_frame())[0] == 4000
    assert await client.ended() == b""
    await wait_until(lambda: echo.closed)
    echo.transport.close(1000)
    echo.transport.pause_reading()
    echo.transport.resume_reading()
    echo.transport.abort()
    assert echo.transport.buffered() == 0
    await hub.serves()
    assert echo.closed == [(4000, "b\u00fc") if server.tells_close_code else (1006, "")]
    assert echo.texts == []


async def test_a_close_without_a_code_is_1005(hub, server, wait_until):
    client, echo = await hub.connect()
    client.send(client_frame(b"", CLOSE))
    await client.close_frame()
    await wait_until(lambda: echo.closed)
    assert echo.closed == [(1005 if server.tells_close_code else 1006, "")]


async def test_a_peer_that_vanishes_is_told_once(hub, server, wait_until):
    client, echo = await hub.connect()
    client.vanish()
    await wait_until(lambda: echo.closed)
    echo.transport.write(text_frame(b"into the void"))
    await hub.serves()
    assert echo.closed == [(server.vanished, "")]


async def test_a_peer_that_ends_its_side_is_gone(hub, server, wait_until):
    client, echo = await hub.connect()
    client.writer.write_eof()
    await client.ended()
    await wait_until(lambda: echo.closed)
    assert echo.closed == [(server.vanished, "")]


async def test_abort_ends_the_connection_without_a_word(hub, server, wait_until):
    client, echo = await hub.connect()
    echo.transport.abort()
    assert echo.closed == [], "not from within the call"
    assert await client.ended() == server.last_words
    await wait_until(lambda: echo.closed)
    echo.transport.abort()
    await hub.serves()
    assert echo.closed == [(1006, "")]


async def test_a_reader_that_does_not_read_is_seen_and_drains_later(hub, wait_until):
    client, echo = await hub.connect()
    client.writer.transport.pause_reading()
    frame, sent = text_frame(b"x" * 65_000), 0
    while not echo.transport.paused:
        assert sent < 5_000, "never paused"
        echo.transport.write(frame)
        sent += 1
        await asyncio.sleep(0)
    assert echo.transport.buffered() > hub.bounds.high_water
    assert not echo.drained
    for _ in range(100):
        echo.transport.write(frame)
    sent += 100
    assert echo.transport.buffered() > 100 * 65_000
    client.writer.transport.resume_reading()
    for _ in range(sent):
        assert len(await client.text()) == 65_000
    await wait_until(lambda: echo.drained)
    assert not echo.transport.paused
    assert echo.transport.buffered() == 0


async def test_a_peer_that_never_answers_the_close_is_cut_off(hub, wait_until):
    client, echo = await hub.connect()
    echo.transport.close(1008, "kicked")
    assert await client.close_frame() == (1008, "kicked")
    await wait_until(lambda: echo.closed)
    assert echo.closed == [(1008, "kicked")]


async def test_a_peer_that_never_reads_cannot_hold_a_closed_connection(hub, wait_until):
    client, echo = await hub.connect()
    client.writer.transport.pause_reading()
    while not echo.transport.paused:
        echo.transport.write(text_frame(b"x" * 65_000))
        await asyncio.sleep(0)
    echo.transport.close(1013, "slow consumer")
    await wait_until(lambda: echo.closed)
    assert echo.closed == [(1013, "slow consumer")]
    client.vanish()


async def test_while_reading_is_paused_nothing_is_delivered_and_nothing_is_lost(hub, wait_until):
    client, echo = await hub.connect()
    echo.transport.pause_reading()
    for n in range(50):
        client.send(client_frame(b"%d" % n))
    await hub.serves()
    assert echo.texts == []
    echo.transport.resume_reading()
    assert [await client.text() for _ in range(50)] == [str(n) for n in range(50)]
    await wait_until(lambda: len(echo.texts) == 50)


async def test_reading_paused_from_within_a_message_holds_the_next_one_back(hub, wait_until):
    client, echo = await hub.connect()
    echo.pause_each = True
    client.send(b"".join(client_frame(b"%d" % n) for n in range(4)))
    for n in range(4):
        assert await client.text() == str(n)
        await hub.serves()
        assert len(echo.texts) == n + 1
        echo.transport.resume_reading()


async def test_a_flood_while_paused_fills_the_wire_not_the_memory(hub, wait_until):
    client, echo = await hub.connect()
    echo.echo = False
    echo.transport.pause_reading()
    piece = client_frame(b"x" * 60_000)
    for _ in range(400):
        client.send(piece)
    unsent = client.writer.transport.get_write_buffer_size
    before = 0
    while before != (before := unsent()):  # noqa: ASYNC110  # until nothing moves any more
        await asyncio.sleep(0.1)
    assert before > 4 << 20, "the hub took the flood in"
    echo.transport.resume_reading()
    await wait_until(lambda: len(echo.texts) == 400)


async def test_a_paused_connection_can_be_closed(hub, wait_until):
    hub.never_cut_off()
    client, echo = await hub.connect()
    echo.transport.pause_reading()
    client.send(client_frame(b"never seen"))
    echo.transport.close(1008, "kicked")
    assert await client.close_frame() == (1008, "kicked")
    client.send(client_frame(close_payload(1008), CLOSE))
    await client.ended()
    await wait_until(lambda: echo.closed)
    assert (echo.closed, echo.texts) == ([(1008, "kicked")], [])


@pytest.mark.parametrize("size", [1 << 20, (1 << 20) + 1])
async def test_a_message_past_the_limit_closes_with_1009(hub, wait_until, size):
    client, echo = await hub.connect()
    echo.echo = False
    client.send(client_frame(b"x" * size))
    if size <= hub.bounds.max_message:
        await wait_until(lambda: echo.texts)
    else:
        code, reason = await client.close_frame()
        assert (code, reason) == (1009, "a message holds at most 1048576 bytes")
        client.send(client_frame(close_payload(code), CLOSE))
        await wait_until(lambda: echo.closed)
        assert (echo.closed, echo.texts) == ([(code, reason)], [])


async def test_text_that_is_not_utf8_closes_with_1007(hub, server, wait_until):
    client, echo = await hub.connect()
    client.send(client_frame(b"\xed\xa0\x80"))
    if server.names_violations:
        assert (await client.close_frame())[0] == 1007
        client.send(client_frame(close_payload(1007), CLOSE))
    await client.ended()
    await wait_until(lambda: echo.closed)
    assert echo.texts == []
    await hub.serves()


async def test_a_hundred_connections_do_not_mix(hub):
    pairs = [await hub.connect() for _ in range(100)]
    for n, (client, _) in enumerate(pairs):
        client.send(client_frame(b"I am %d" % n))
    for n, (client, _) in enumerate(pairs):
        assert await client.text() == f"I am {n}"
        client.vanish()
