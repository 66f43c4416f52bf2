"""One WebSocket with the fleet's channel joined on it. When it ends it is done with; the session makes the next one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from ssl import SSLContext
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.frames import CloseCode

from ringforge.call import Call
from ringforge.errors import AuthenticationError, ConnectionLost, Kicked, RingforgeError, UnexpectedReply, error_from
from ringforge.frames import Frame, decode_envelope, decode_frame, decode_reply, encode_frame, encode_payload
from ringforge.log import Position, RawPush

TOPIC = "fleet:lobby"
JOIN_REF = "1"
REPLY_TIMEOUT = 10.0
"""Seconds within which the hub must answer a join or a heartbeat."""
MAX_MESSAGE = 2 * 1024 * 1024
"""Bytes; the hub keeps its messages below 1 MiB."""
logger = logging.getLogger("ringforge")
EMPTY = msgspec.Raw(b"{}")


class Resumed(msgspec.Struct, frozen=True):
    status: str
    to: int = 0


class Joined(msgspec.Struct, frozen=True):
    """The reply to the join."""

    agent_id: str
    fleet_id: str
    name: str | None = None
    heartbeat_ms: int = 30_000
    server: Any = None
    epoch: str = ""
    seq: int = 0
    resume: Resumed | None = None

    @property
    def head(self) -> Position:
        return Position(self.epoch, self.seq)


class Channel:
    """Sends calls and matches their replies by ref; hands pushes to `on_push`, in the order they came."""

    def __init__(self, socket: ClientConnection, on_push: Callable[[RawPush], None]) -> None:
        self._socket = socket
        self._on_push = on_push
        self._last_ref = int(JOIN_REF)
        self._calls: dict[str, Call] = {}
        self._alive = asyncio.Event()
        self.closing = False
        """True once the end was asked for from here."""

    @classmethod
    async def open(
        cls, url: str, api_key: str, on_push: Callable[[RawPush], None], *, tls: SSLContext | None = None
    ) -> Channel:
        """Connect, not yet joined. `AuthenticationError` when the hub refuses the key, else `ConnectionLost`."""
        # Its debug log shows the request's headers, and with them the API key.
        quiet = logging.getLogger("ringforge.websocket")
        quiet.setLevel(logging.INFO)
        try:
            socket = await connect(
                url,
                additional_headers={"Authorization": f"Bearer {api_key}"},
                compression=None,  # costs the hub more than half its rate, and the hub does not offer it
                max_size=MAX_MESSAGE,
                open_timeout=REPLY_TIMEOUT,
                close_timeout=2,
                ping_interval=None,  # the Phoenix heartbeat does this work
                logger=quiet,
                ssl=tls or (True if url.startswith("wss:") else None),
            )
        except InvalidStatus as error:
            status = error.response.status_code
            if status in (401, 403):
                raise AuthenticationError(
                    "invalid_api_key",
                    "The hub refused the connection.",
                    "Check that the API key is a live or test key and still valid, and that the agent was not removed.",
                    {"status": status},
                ) from None
            raise ConnectionLost("refused", f"The hub answered with HTTP {status}.") from None
        except (OSError, TimeoutError, InvalidHandshake) as error:
            raise ConnectionLost("unreachable", f"No hub at the address: {error}.", "Is it running?") from error
        return cls(socket, on_push)

    async def join(self, payload: dict[str, Any]) -> Joined:
        """Join the fleet; raises what the hub says against it, `ConnectionLost` when it says nothing."""
        try:
            async with asyncio.timeout(REPLY_TIMEOUT):
                await self._send(JOIN_REF, "phx_join", encode_payload(payload))
                while (frame := decode_frame(await self._socket.recv())).ref != JOIN_REF:
                    pass
                return msgspec.json.decode(_result(frame), type=Joined)
        except TimeoutError:
            raise ConnectionLost("join_timeout", "The hub did not answer the join.") from None
        except ConnectionClosed:
            raise self.ending() from None
        except msgspec.DecodeError as error:
            raise UnexpectedReply("unexpected_reply", f"This is no Ringforge hub: {error}.") from error

    async def send(self, call: Call) -> None:
        """Send the call, or nothing when the connection is already gone: then the call is without a reply."""
        self._last_ref += 1
        ref = str(self._last_ref)
        call.channel = self
        self._calls[ref] = call
        with contextlib.suppress(ConnectionClosed):
            await self._send(ref, call.event, call.body)

    async def read(self) -> None:
        """Take in all that comes; returns when the connection has ended or the channel is of no more use."""
        try:
            while True:
                message = await self._socket.recv()
                self._alive.set()
                try:
                    frame = decode_frame(message)
                    if frame.event in ("phx_close", "phx_error"):
                        return
                    self._on_frame(frame)
                except msgspec.DecodeError as error:
                    logger.error("Left out a message of an unknown shape: %s", error)
        except ConnectionClosed:
            return

    async def beat(self, interval: float) -> None:
        """Send heartbeats every `interval` seconds; drops a connection on which nothing comes back."""
        while True:
            await asyncio.sleep(interval)
            self._alive.clear()
            try:
                await self._socket.send(encode_frame(Frame(None, "0", "phoenix", "heartbeat", EMPTY)))
                await asyncio.wait_for(self._alive.wait(), REPLY_TIMEOUT)
            except TimeoutError:
                self._socket.transport.abort()
            except ConnectionClosed:
                return

    async def close(self, *, leave: bool = False) -> None:
        """Close with 1000; with `leave` the hub need not wait for a reconnect. Bounded to 3 s."""
        self.closing = True
        if leave:
            with contextlib.suppress(ConnectionClosed, TimeoutError):
                async with asyncio.timeout(1):
                    await self._send("leave", "phx_leave", EMPTY)
        await self._socket.close()

    @property
    def close_code(self) -> int | None:
        """The code with which the connection ended, 1006 when it just vanished; None before."""
        return self._socket.close_code

    def ending(self) -> RingforgeError:
        """Why the connection ended."""
        code, text = self.close_code, self._socket.close_reason or ""
        if code == CloseCode.POLICY_VIOLATION:
            fix = "Check that the API key is not revoked and that the agent was not removed."
            return Kicked("kicked", text or "The hub ended the connection for good.", fix, {"code": code})
        return ConnectionLost("connection_lost", text or "The connection ended.", extras={"code": code})

    def _on_frame(self, frame: Frame) -> None:
        if frame.event == "phx_reply":
            self._on_reply(frame)
            return
        envelope = decode_envelope(frame.payload)
        position = None
        if envelope.epoch is not None and envelope.seq is not None:
            position = Position(envelope.epoch, envelope.seq)
        self._on_push(RawPush(frame.event, envelope.payload, position))

    def _on_reply(self, frame: Frame) -> None:
        call = self._calls.pop(frame.ref or "", None)
        if call is None or call.reply.done():
            return
        try:
            call.reply.set_result(_result(frame))
        except RingforgeError as error:
            call.reply.set_exception(error)

    async def _send(self, ref: str, event: str, body: msgspec.Raw) -> None:
        await self._socket.send(encode_frame(Frame(JOIN_REF, ref, TOPIC, event, body)))


def _result(frame: Frame) -> msgspec.Raw:
    """What an ok reply holds; raises the typed error of an error reply."""
    reply = decode_reply(frame.payload)
    if reply.status == "ok":
        return reply.response
    raise error_from(msgspec.json.decode(reply.response, type=dict[str, Any]))
