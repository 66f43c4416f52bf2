"""A TCP relay between the agents and the hub."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Protocol


class Hub(Protocol):
    port: int
    api_key: str


class Wire:
    """A TCP relay to the hub that can be cut, and that can be kept cut."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.down = False
        self.connects = 0
        self.sent: list[bytearray] = []
        """What went from the agents to the hub, byte for byte, per connection."""
        self.port = 0

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Wire:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def cut(self) -> None:
        """Reset every connection, in whatever it is doing."""
        for writer in self._writers:
            writer.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connects += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self.down:
            writer.transport.abort()
            return
        hub_reader, hub_writer = await asyncio.open_connection("127.0.0.1", self._hub.port)
        pair = {writer, hub_writer}
        self._writers |= pair
        try:
            record = bytearray()
            self.sent.append(record)
            await asyncio.gather(_pipe(reader, hub_writer, record), _pipe(hub_reader, writer, bytearray()))
        finally:
            self._writers -= pair
            for each in pair:
                each.transport.abort()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, record: bytearray) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(4096):
            record += data
            writer.write(data)
            await writer.drain()
    writer.transport.abort()


def plain(sent: bytes) -> bytes:
    """What a client sent on one connection: the HTTP request as it is, its WebSocket frames without their masks."""
    request, _, rest = bytes(sent).partition(b"\r\n\r\n")
    if b"upgrade: websocket" not in request.lower():
        return bytes(sent)
    messages = [request]
    while len(rest) >= 6:
        length, start = rest[1] & 0x7F, 2
        if length >= 126:
            start = 4 if length == 126 else 10
            length = int.from_bytes(rest[2:start])
        mask, payload = rest[start : start + 4], rest[start + 4 : start + 4 + length]
        messages.append(bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload)))
        rest = rest[start + 4 + length :]
    return b"\n".join(messages)
