"""One client's connection: frames in, to the channel that they are for; frames out, through the fan-out."""

from __future__ import annotations

import asyncio
from typing import Protocol

import msgspec

from ringforge_core.errors import Refused, RingforgeError
from ringforge_core.identity import Credentials
from ringforge_core.plugin.capability import AgentSession
from ringforge_core.socket.channel import Channel
from ringforge_core.socket.fanout import NOBODY, Fanout, Outbox
from ringforge_core.socket.frames import NULL, Frame, closed, decode_frame, json_text, reply
from ringforge_core.socket.transport import Transport

MAX_CHANNELS = 8
PROTOCOL_ERROR, BAD_DATA, POLICY, SLOW_CONSUMER = 1002, 1007, 1008, 1013

TOO_INSISTENT = "too many events after rate_limited: wait for retry_after_ms"

EMPTY = b"{}"


class Host(Protocol):
    """The side of a hub that a connection knows; the gateway is one."""

    fanout: Fanout

    def receive(self, channel: Channel, frame: Frame) -> None:
        """A message of a joined channel."""

    def join(self, connection: Connection, channel: Channel, frame: Frame, *, replaced: Channel | None) -> None:
        """A `phx_join`; `replaced` is the channel that holds its topic so far."""

    def left(self, channel: Channel) -> None:
        """The channel is over."""

    def closed(self, connection: Connection, code: int, reason: str) -> None:
        """The transport is gone."""


class Connection:
    """A `Receiver` of its transport. `agent` is None until the client has authenticated."""

    __slots__ = (
        "address", "agent", "channels", "credentials", "host", "let_in_at", "opened", "outbox", "quiet", "session_open",
        "wake",
    )  # fmt: skip

    def __init__(self, host: Host, *, agent: AgentSession | None, credentials: Credentials, address: str | None) -> None:
        self.host = host
        self.outbox = Outbox(self)
        self.agent = agent
        self.credentials = credentials
        """What the connect request gave when that was not an agent: the join completes it. Forgotten then."""
        self.address = address
        self.channels: dict[str, Channel] = {}
        self.quiet = 0
        """Ticks of the clock since the last frame."""
        self.opened = False
        self.let_in_at = 0.0
        """When the connection was opened or, if later, its agent known or moved to this fleet; by the clock of the loop."""
        self.session_open = False
        self.wake: asyncio.Event | None = None

    @property
    def transport(self) -> Transport:
        return self.outbox.transport

    # --- what the transport tells -------------------------------------------------------------------------------

    def on_alive(self) -> None:
        self.quiet = 0

    def on_text(self, message: bytes) -> None:
        try:
            frame = decode_frame(message)
        except ValueError:
            return self.close(BAD_DATA, "not a frame: send [join_ref, ref, topic, event, payload]")
        if frame.topic == "phoenix":
            return self._phoenix(frame)
        if frame.event == "phx_join":
            return self._join(frame)
        channel = self.channels.get(frame.topic)
        if channel is None:
            return self._not_joined(frame)
        if channel.is_stale(bytes(frame.join_ref)):
            return None
        if frame.event == "phx_leave":
            return self.leave(channel, frame)
        return self.host.receive(channel, frame)

    def on_binary(self, message: bytes) -> None:
        """No event uses binary frames; those of Phoenix's layout are answered on their topic."""
        try:
            join_ref, ref, topic, _ = _split_binary(message)
        except (ValueError, IndexError):
            return self.close(BAD_DATA, "not a binary push of Phoenix V2")
        error = Refused("Binary frames are not supported.", reason="binary_not_supported", fix="Send JSON in text frames.")
        channel = self.channels.get(topic)
        return self.send(
            reply(
                channel.join_ref if channel else json_text(join_ref), json_text(ref), json_text(topic), b"error",
                json_text(error.as_reply()),
            )
        )  # fmt: skip

    def on_drained(self) -> None:
        if self.wake is not None:
            self.wake.set()

    def on_closed(self, code: int, reason: str) -> None:
        self.host.closed(self, code, reason)
        for channel in list(self.channels.values()):
            self.end(channel)
        if self.wake is not None:
            self.wake.set()
        self.outbox.reader = NOBODY  # no ring of references is left for the collector

    # --- what the hub does with it ------------------------------------------------------------------------------

    def send(self, frame: bytes) -> None:
        """Send a frame after everything that was sent before; nothing happens on a closed connection."""
        if self.opened:
            self.host.fanout.send(self.outbox, frame)

    def close(self, code: int, reason: str = "") -> None:
        """Send what waits, then close with a code that says why."""
        if self.opened:
            self.host.fanout.settle(self.outbox)
            self.opened = False
            self.transport.close(code, reason)

    def close_slow(self) -> None:
        """The reader takes too little: what it has not taken is bounded, so it must go. It can resume."""
        if self.opened:
            self.opened = False
            self.outbox.frames.clear()
            self.transport.close(SLOW_CONSUMER, "slow consumer: reconnect and resume from your last seq")

    async def drained(self) -> None:
        """Wait until the client has taken what was written, when that is much."""
        self.host.fanout.settle(self.outbox)
        while self.opened and self.transport.paused:
            self.wake = asyncio.Event()
            await self.wake.wait()

    def leave(self, channel: Channel, frame: Frame) -> None:
        """Answer a `phx_leave` and end the channel, after what is in work."""
        if channel.busy:
            return channel.wait(frame)
        self.send(reply(bytes(frame.join_ref), bytes(frame.ref), channel.topic, b"ok", EMPTY))
        self.send(closed(channel.join_ref, channel.topic))
        return self.end(channel)

    def end(self, channel: Channel) -> None:
        """The channel is over: the capabilities hear of it once, the room loses a member."""
        if channel.closed:
            return
        channel.closed = True
        for topic, held in list(self.channels.items()):
            if held is channel:
                del self.channels[topic]
        channel.forget_waiting()
        self.host.left(channel)

    def move(self, fleet_id: str) -> int:
        """The agent belongs to this fleet now: its channels in others are closed in order, what it joins next is there.

        Returns the number of channels closed.
        """
        left = [channel for channel in self.channels.values() if channel.joined and channel.agent.fleet_id != fleet_id]
        for channel in left:
            self.send(closed(channel.join_ref, channel.topic))
            self.end(channel)
        if self.agent is not None and self.agent.fleet_id != fleet_id:
            self.agent = msgspec.structs.replace(self.agent, fleet_id=fleet_id)
            self.let_in_at = asyncio.get_running_loop().time()
        return len(left)

    def refuse_join(self, frame: Frame, error: RingforgeError) -> None:
        join_ref = NULL if error.reason == "unmatched topic" else bytes(frame.join_ref)
        self.send(reply(join_ref, bytes(frame.ref), json_text(frame.topic), b"error", json_text(error.as_reply())))

    # --- frames -------------------------------------------------------------------------------------------------

    def _phoenix(self, frame: Frame) -> None:
        if frame.event == "heartbeat":
            self.send(reply(NULL, bytes(frame.ref), json_text("phoenix"), b"ok", EMPTY))
        else:
            self._not_joined(frame)

    def _join(self, frame: Frame) -> None:
        old = self.channels.get(frame.topic)
        if old is None and len(self.channels) >= MAX_CHANNELS:
            return self.refuse_join(
                frame,
                Refused(
                    f"At most {MAX_CHANNELS} channels can be joined on one socket.", reason="too_many_channels",
                    fix="Leave a topic first.",
                ),
            )  # fmt: skip
        channel = Channel(self, frame.topic, bytes(frame.join_ref))
        self.channels[frame.topic] = channel
        return self.host.join(self, channel, frame, replaced=old)

    def _not_joined(self, frame: Frame) -> None:
        topic = json_text(frame.topic)
        if frame.event == "phx_leave":
            return self.send(reply(bytes(frame.join_ref), bytes(frame.ref), topic, b"ok", EMPTY))
        error = Refused("This topic is not joined.", reason="unmatched topic", fix="Send phx_join to the topic first.")
        return self.send(reply(NULL, bytes(frame.ref), topic, b"error", json_text(error.as_reply())))


def _split_binary(message: bytes) -> tuple[str, str, str, str]:
    """A client's binary push: kind 0, four lengths, four texts, data. Source: Phoenix.Socket.V2.JSONSerializer."""
    if message[0] != 0:
        raise ValueError("not a push")
    position, texts = 5, []
    for length in message[1:5]:
        if position + length > len(message):
            raise ValueError("a text goes past the end")
        texts.append(message[position : position + length].decode())
        position += length
    return texts[0], texts[1], texts[2], texts[3]
