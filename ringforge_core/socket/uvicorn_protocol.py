"""The two protocol classes that make uvicorn hand an accepted WebSocket's socket over, instead of carrying it.

uvicorn does the HTTP part, the upgrade and the ASGI handshake. Everything that comes behind the upgrade request is kept
here and reaches uvicorn's own WebSocket parser only if the application goes on with ASGI (any WebSocket route that does
not take over). These classes use internals of uvicorn 0.54; tests/socket/transports/test_transports_uvicorn_internals.py
fails when they move.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any, cast

from uvicorn._types import ASGIReceiveEvent, ASGISendEvent
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from ringforge_core.socket.bounds import Bounds
from ringforge_core.socket.raw import EXTENSION, RawTransport
from ringforge_core.socket.rfc6455 import NO_CODE
from ringforge_core.socket.transport import Receiver

MAX_EARLY = 64 << 10
"""Bytes that a client may send before it was answered; past that its socket is not read until it is."""

HEAD_TIMEOUT = 10.0
"""Seconds that a client has for the head of a request, from its first byte, or from the connection if none comes."""

BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class UpgradingHttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, but what came in one read with an upgrade request is passed on, not dropped, and a client
    that does not finish the head of its request does not stay."""

    _read = b""
    _head_timer: asyncio.TimerHandle | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.access_log = False  # whatever handlers `uvicorn.access` has: it writes queries, which may hold keys

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_came()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._head_came()
        self._await_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head_came()
        super().on_headers_complete()

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT, self.transport.close)

    def _head_came(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def data_received(self, data: bytes) -> None:
        self._read = data
        super().data_received(data)
        self._read = b""

    def handle_websocket_upgrade(self) -> None:
        stop = sys.exception()  # an HttpParserUpgrade: uvicorn calls this while it handles it
        super().handle_websocket_upgrade()
        self.parser = None  # type: ignore[assignment]  # it refers back to this protocol, which is done
        if stop is not None and (rest := self._read[stop.args[0] :]):
            cast(asyncio.Protocol, self.transport.get_protocol()).data_received(rest)


class HandoverProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol up to the accept; then `hand_over` makes a `RawTransport` of the connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = _logger
        self._early: bytearray | None = bytearray()
        """What came behind the upgrade request; None once uvicorn's parser has it."""
        self._raw: RawTransport | None = None

    def hand_over(self, receiver: Receiver, bounds: Bounds) -> RawTransport:
        """Give the socket away. What remains here is freed when the ASGI application returns."""
        if not self.handshake_complete and not self.transport.is_closing():
            raise RuntimeError("accept the WebSocket before taking it over")
        self.handshake_complete = True
        self.connections.discard(self)
        transport, self.transport = self.transport, _Released()
        self._raw = RawTransport(transport, receiver, bounds, self.connections, bytes(self._early or b""))
        if self.disconnected:  # it was told to this protocol, so the transport will not hear of it
            self.loop.call_soon(self._raw.connection_lost, None)
        return self._raw

    # --- bytes --------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._early is None:
            super().data_received(data)
        elif self.handshake_initiated:
            self._early += data
            if len(self._early) > MAX_EARLY:
                self.transport.pause_reading()
        elif not self.transport.is_closing():
            self._upgrade(data)

    def _upgrade(self, request: bytes) -> None:
        """Take the upgrade request, which comes whole. One that uvicorn's parser refuses it would leave unanswered."""
        super().data_received(request)
        if not self.handshake_initiated:
            self.transport.write(b"".join(self.conn.data_to_send()) or BAD_REQUEST)
            self.transport.close()

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            cast(dict[str, Any], self.scope["extensions"])[EXTENSION] = self

    # --- ASGI ---------------------------------------------------------------------------------------------------

    async def receive(self) -> ASGIReceiveEvent:
        if self._raw is not None:
            return {"type": "websocket.disconnect", "code": NO_CODE, "reason": ""}
        self._go_on_with_asgi()
        return await super().receive()

    async def send(self, message: ASGISendEvent) -> None:
        if self._raw is None:
            self._go_on_with_asgi()
            await super().send(message)
        elif message["type"] == "websocket.close":
            self._raw.close(message.get("code", 1000), message.get("reason") or "")

    def _go_on_with_asgi(self) -> None:
        """The application uses an accepted WebSocket by ASGI: from here on uvicorn carries it."""
        if self._early is None or not self.handshake_complete or self.close_sent:
            return
        self.scope["extensions"].pop(EXTENSION, None)
        early, self._early = bytes(self._early), None
        self.transport.resume_reading()
        if early:
            super().data_received(early)
        self.start_keepalive()

    def start_keepalive(self) -> None:
        """uvicorn's pings are for connections that it carries: the pongs to them would not reach it."""
        if self._early is None:
            super().start_keepalive()


class _Released(asyncio.Transport):
    """Stands where the socket was that now belongs to a `RawTransport`: uvicorn closes it when the application returns."""

    def close(self) -> None: ...

    def is_closing(self) -> bool:
        return True


def _without_query(record: logging.LogRecord) -> bool:
    """uvicorn logs the whole request target at the accept; its query may hold an API key."""
    if isinstance(record.args, tuple):
        record.args = tuple(arg.partition("?")[0] if isinstance(arg, str) else arg for arg in record.args)
    return True


_logger = logging.getLogger("ringforge.socket.uvicorn")
_logger.addFilter(_without_query)
