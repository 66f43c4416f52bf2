"""A WebSocket client that can break every rule: it sends what bytes the test gives it and shows every frame it gets."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, NamedTuple

DEADLINE = 10.0
"""Seconds until a test that waits for something fails."""

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

UPGRADE = (
    "GET {target} HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "{headers}\r\n"
)


def masked(payload: bytes, mask: bytes) -> bytes:
    return bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


def client_frame(
    payload: bytes = b"", opcode: int = TEXT, *, final: bool = True, mask: bytes = b"\x01\x02\x03\x04"
) -> bytes:
    """A well-formed client frame, unless the arguments say otherwise."""
    first, length = (0x80 if final else 0) | opcode, len(payload)
    if length < 126:
        head = bytes((first, 0x80 | length))
    elif length < 0x10000:
        head = bytes((first, 0x80 | 126)) + length.to_bytes(2, "big")
    else:
        head = bytes((first, 0x80 | 127)) + length.to_bytes(8, "big")
    return head + mask + masked(payload, mask)


def close_payload(code: int, reason: str = "") -> bytes:
    return code.to_bytes(2, "big") + reason.encode()


class ServerFrame(NamedTuple):
    opcode: int
    payload: bytes


class RawClient:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.head = b""
        """The server's answer to the upgrade request."""

    @classmethod
    async def open(
        cls, port: int, target: str = "/ws", *, headers: str = "", early: bytes = b"", tls: ssl.SSLContext | None = None
    ) -> RawClient:
        """Send an upgrade request, and `early` in the same write; the answer is not awaited."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=tls, server_hostname="localhost" if tls else None
        )
        writer.write(UPGRADE.format(target=target, headers=headers).encode() + early)
        return cls(reader, writer)

    @classmethod
    async def connect(cls, port: int, target: str = "/ws", **options: Any) -> RawClient:
        """As `open`, and wait until the server has agreed."""
        client = await cls.open(port, target, **options)
        await client.upgraded()
        return client

    async def upgraded(self) -> None:
        async with asyncio.timeout(DEADLINE):
            self.head = await self.reader.readuntil(b"\r\n\r\n")
        assert self.head.startswith(b"HTTP/1.1 101 "), self.head

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def frame(self) -> ServerFrame:
        """The next frame of the server."""
        async with asyncio.timeout(DEADLINE):
            first, length = await self.reader.readexactly(2)
            assert first & 0xF0 == 0x80, "server frames are whole, without reserved bits"
            assert not length & 0x80, "server frames are not masked"
            if length >= 126:
                length = int.from_bytes(await self.reader.readexactly(2 if length == 126 else 8), "big")
            return ServerFrame(first & 0x0F, await self.reader.readexactly(length))

    async def text(self) -> str:
        frame = await self.frame()
        assert frame.opcode == TEXT, frame
        return frame.payload.decode()

    async def close_frame(self) -> tuple[int, str]:
        """Code and reason of the next close frame; what comes before it is skipped."""
        while (frame := await self.frame()).opcode != CLOSE:
            pass
        return int.from_bytes(frame.payload[:2], "big") if frame.payload else 1005, frame.payload[2:].decode()

    async def ended(self) -> bytes:
        """Wait for the end of the stream; returns what came before it."""
        async with asyncio.timeout(DEADLINE):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""

    def vanish(self) -> None:
        """Reset the connection: no close frame, no FIN."""
        self.writer.transport.abort()
