"""An agent that comes for the first time, one of very many: it reads what it must know and lets the rest flow by."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast
from urllib.parse import quote

from raw_websocket import UPGRADE, client_frame


class Newcomer(asyncio.Protocol):
    """Connects, joins the lobby, and drains whatever the fleet is told after that: one process holds a thousand."""

    def __init__(self, name: str, api_key: str) -> None:
        self.name = name
        self.joined: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        """The reply to the join; `ConnectionError` with what came instead."""
        self._api_key = api_key
        self._received = bytearray()
        self._transport: asyncio.Transport

    @classmethod
    async def arrive(cls, port: int, name: str, api_key: str) -> Newcomer:
        """Returns once it is joined."""
        connect = asyncio.get_running_loop().create_connection(lambda: cls(name, api_key), "127.0.0.1", port)
        _, newcomer = await connect
        await newcomer.joined
        return newcomer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        target = "/ws/websocket?vsn=2.0.0&agent=" + quote(json.dumps({"name": self.name}))
        headers = f"Authorization: Bearer {self._api_key}\r\n"
        join = json.dumps(["1", "1", "fleet:lobby", "phx_join", {}]).encode()
        transport.write(UPGRADE.format(target=target, headers=headers).encode() + client_frame(join))

    def data_received(self, data: bytes) -> None:
        if not self.joined.done():
            self._received += data
            self._look_for_reply()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.joined.done():
            self.joined.set_exception(ConnectionError(bytes(self._received)))

    def leave(self) -> None:
        self._transport.abort()

    def _look_for_reply(self) -> None:
        """The reply is the first frame of all."""
        head, found, frames = self._received.partition(b"\r\n\r\n")
        if not found or len(frames) < 4:
            return
        if not head.startswith(b"HTTP/1.1 101 "):
            self.joined.set_exception(ConnectionError(bytes(head)))
            return
        length, start = frames[1], 2
        if length == 126:
            length, start = int.from_bytes(frames[2:4], "big"), 4
        if len(frames) < start + length:
            return
        reply = json.loads(frames[start : start + length])[4]
        if reply["status"] == "ok":
            self.joined.set_result(reply["response"])
        else:
            self.joined.set_exception(ConnectionError(reply))
        self._received.clear()
