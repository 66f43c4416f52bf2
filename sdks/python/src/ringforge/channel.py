"""One WebSocket with the fleet's channel joined on it. When it ends it is done with; the session makes the next one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from ringforge.calls import Call
from ringforge.errors import ConnectionLost, Kicked, RingforgeError, UnexpectedReply, error_from
from ringforge.frames import Frame, decode_envelope, decode_frame, decode_reply, encode_frame, encode_payload
from ringforge.joined import Joined
from ringforge.log import Position, RawPush

TOPIC = "fleet:lobby"
JOIN_REF = "1"
REPLY_TIMEOUT = 10.0
"""Seconds within which the hub must answer a join or a heartbeat."""
logger = logging.getLogger("ringforge")
EMPTY = msgspec.Raw(b"{}")


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
