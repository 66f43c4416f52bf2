"""The transport under our own server: frames go straight to the socket, bytes from it to our parser.

A connection that was taken over has left ASGI: no task, no scope, no request, no queue and, until it closes, no timer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ringforge_core.socket.bounds import DEFAULT_BOUNDS, Bounds
from ringforge_core.socket.rfc6455 import VANISHED, FrameParser, Violation, close_frame, pong_frame
from ringforge_core.socket.transport import Receiver, Transport

if TYPE_CHECKING:
    from ringforge_core.socket.uvicorn_protocol import HandoverProtocol

EXTENSION = "ringforge.raw"
"""The key in an ASGI scope's `extensions` under which our server offers the take-over."""

SERVICE_RESTART = 1012


def take_over(scope: Any, receiver: Receiver, bounds: Bounds = DEFAULT_BOUNDS) -> RawTransport | None:
    """Take an accepted WebSocket out of ASGI; None under a server that is not ours, where `AsgiTransport` serves.

    Call it after `accept` and before any other `receive` or `send`; what the client sent meanwhile is kept. Afterwards the
    application must return. Its `receive` and `send` reach nothing any more, except that `websocket.close` still closes,
    so that an error in the rest of the application is not silent. `receiver` hears nothing before the next tick.
    """
    protocol: HandoverProtocol | None = (scope.get("extensions") or {}).pop(EXTENSION, None)
    return None if protocol is None else protocol.hand_over(receiver, bounds)


class RawTransport(asyncio.Protocol, Transport):
    """See `Transport`. It is the asyncio protocol of its socket and the sink of its parser."""

    __slots__ = (
        "_bounds",
        "_connections",
        "_outcome",
        "_owed_ping",
        "_parser",
        "_reading",
        "_receiver",
        "_socket",
        "_timer",
        "on_binary",
        "on_text",
        "paused",
        "write",
    )

    # Calls that happen per message go straight to where they end, until a close puts `_ignore` in their place.
    write: Callable[[bytes], None]
    on_text: Callable[[bytes], None]
    on_binary: Callable[[bytes], None]
    paused: bool

    def __init__(
        self, socket: asyncio.Transport, receiver: Receiver, bounds: Bounds, connections: set[Any], early: bytes
    ) -> None:
        """Become the protocol of `socket`. `connections` is the server's set: who is in it is told of a shutdown.

        `early` are the bytes that came before the take-over; they are parsed in the next tick.
        """
        self._socket = socket
        self._receiver: Receiver | None = receiver
        self._bounds = bounds
        self._connections = connections
        self._parser: FrameParser | None = FrameParser(bounds.max_message, early)
        self._outcome: tuple[int, str] | None = None
        """What `on_closed` will tell; set as soon as the end is known."""
        self._timer: asyncio.TimerHandle | None = None
        self._reading = True
        self._owed_ping: bytes | None = None
        self.paused = False
        self.write = socket.write
        self.on_text = receiver.on_text
        self.on_binary = receiver.on_binary
        connections.add(self)
        socket.set_protocol(self)  # also tells uvloop, which caches the protocol's methods
        if not socket.is_closing():
            socket.set_write_buffer_limits(high=bounds.high_water, low=bounds.low_water)
        if early:
            self._parser.halted = True
            self._continue_soon()

    # --- Transport ----------------------------------------------------------------------------------------------

    def buffered(self) -> int:
        return self._socket.get_write_buffer_size()

    def close(self, code: int, reason: str = "") -> None:
        if self._outcome is None:
            self._outcome = (code, reason)
            self._write_last(close_frame(code, reason))
            self.resume_reading()  # the peer's close frame must get in

    def abort(self) -> None:
        self._outcome = self._outcome or (VANISHED, "")
        self._stop()
        self._socket.abort()

    def pause_reading(self) -> None:
        if self._parser is not None and self._outcome is None:
            self._reading = False
            self._parser.halted = True
            self._socket.pause_reading()

    def resume_reading(self) -> None:
        if not self._reading:
            self._reading = True
            self._continue_soon()

    # --- what asyncio and the server tell -----------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._parser is not None and self._receiver is not None:
            self._receiver.on_alive()
            self._parse(self._parser, data)

    def eof_received(self) -> None:
        """The peer ended its side. Returning None makes asyncio close ours once what is pending is sent."""
        self._start_timer()
        self._finish(VANISHED)

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish(VANISHED)
        if self._timer is not None:
            self._timer.cancel()
        self._connections.discard(self)

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        if self._owed_ping is not None:
            self.write(pong_frame(self._owed_ping))
            self._owed_ping = None
        if self._receiver is not None:
            self._receiver.on_drained()

    def shutdown(self) -> None:
        """The server stops; it waits until this connection has left `connections`."""
        self.close(SERVICE_RESTART, "the hub restarts")

    # --- what the parser found ----------------------------------------------------------------------------------

    def on_ping(self, payload: bytes) -> None:
        """Answer; while the peer takes nothing, owe it only the answer to its latest ping, as RFC 6455 allows."""
        if self.paused:
            self._owed_ping = payload
        else:
            self.write(pong_frame(payload))

    def on_close(self, code: int, reason: str) -> None:
        if self._outcome is None:
            self._write_last(close_frame(code))
        self._finish(code, reason)
        self._socket.close()

    # --- inside -------------------------------------------------------------------------------------------------

    def _parse(self, parser: FrameParser, data: bytes) -> None:
        try:
            parser.feed(data, self)
        except Violation as violation:
            if self._outcome is None:
                self._write_last(close_frame(violation.code, violation.reason))
            self._finish(violation.code, violation.reason)
            self._hang_up()

    def _continue_soon(self) -> None:
        asyncio.get_running_loop().call_soon(self._continue)

    def _continue(self) -> None:
        """Parse what was kept while halted, then read on, unless a message made the receiver pause again."""
        if self._parser is not None and self._reading:
            self._parser.halted = False
            self._parse(self._parser, b"")
        if self._reading and not self._socket.is_closing():
            self._socket.resume_reading()

    def _write_last(self, frame: bytes) -> None:
        """Write a close frame: nothing follows it, and the peer has a bounded time to take it and to answer."""
        self.write(frame)
        self.write = self.on_text = self.on_binary = _ignore
        self._start_timer()

    def _start_timer(self) -> None:
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._bounds.close_timeout, self._socket.abort)

    def _hang_up(self) -> None:
        """End our side and discard what still comes: closing with bytes unread would reset the connection, and the peer
        might lose our close frame to it. TLS knows no half-closed connection."""
        if self._socket.is_closing():
            return
        if self._socket.can_write_eof():
            self._socket.write_eof()
        else:
            self._socket.close()

    def _stop(self) -> None:
        if self._parser is not None:
            self._parser.halted = True
            self._parser = None
        self.write = self.on_text = self.on_binary = _ignore

    def _finish(self, code: int, reason: str = "") -> None:
        """Nothing more comes in or goes out: tell the receiver, once. An outcome that is known already stays."""
        self._outcome = self._outcome or (code, reason)
        self._stop()
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.on_closed(*self._outcome)


def _ignore(data: bytes) -> None:
    """Stands in for `write`, `on_text` and `on_binary` after a close."""
