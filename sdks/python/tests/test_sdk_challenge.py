"""Asking for a challenge: over TLS, and of hubs that answer oddly."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager

import pytest
import trustme
from ringforge import ConnectionLost, KeyPairRefused, RateLimited
from ringforge.challenge import ask_challenge


@asynccontextmanager
async def answering(reply: bytes, tls=None):
    """A server that answers every request with these bytes; gives its port and the requests."""
    requests = []

    async def answer(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
        requests.append(head + await reader.readexactly(length))
        writer.write(reply)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1], requests


def http(status, body, kind="application/json"):
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


async def test_over_tls_only_a_trusted_hub_is_asked():
    authority, server_side, trusting = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server_side)
    authority.configure_trust(trusting)
    async with answering(http("200 OK", '{"challenge": "AAEC", "expires_in": 30}'), server_side) as (port, requests):
        url = f"https://127.0.0.1:{port}/api/auth/challenge"
        with pytest.raises(ConnectionLost, match="certificate"):
            await ask_challenge(url, "ag_1", tls=None)
        assert requests == []
        assert await ask_challenge(url, "ag_1", tls=trusting) == b"\x00\x01\x02"
    assert requests[0].startswith(b"POST /api/auth/challenge HTTP/1.1\r\n")
    assert requests[0].endswith(b'{"agent_id":"ag_1"}')


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (http("404 Not Found", '{"error": "agent_not_found", "message": "Gone."}'), KeyPairRefused),
        (http("422 Unprocessable", '{"error": "no_public_key"}'), KeyPairRefused),
        (http("404 Not Found", '{"error": "not_found"}'), ConnectionLost),  # a proxy that knows no such path
        (http("404 Not Found", "<html>", "text/html"), ConnectionLost),
        (http("500 Oh", "{}"), ConnectionLost),
        (http("200 OK", "<html>"), ConnectionLost),
        (http("200 OK", '{"challenge": "not base64!"}'), ConnectionLost),
        (b"SSH-2.0-OpenSSH_9.2\r\n", ConnectionLost),
        (b"", ConnectionLost),
    ],
)
async def test_what_no_challenge_comes_with(reply, error):
    async with answering(reply) as (port, _):
        with pytest.raises(error) as caught:
            await ask_challenge(f"http://127.0.0.1:{port}/api/auth/challenge", "ag_1", tls=None)
        assert type(caught.value) is error


async def test_a_hub_that_asks_for_patience_says_how_long():
    async with answering(http("429 Slow", '{"error": "rate_limited", "retry_after_ms": 1500}')) as (port, _):
        with pytest.raises(RateLimited) as caught:
            await ask_challenge(f"http://127.0.0.1:{port}/api/auth/challenge", "ag_1", tls=None)
    assert caught.value.retry_after_ms == 1500
