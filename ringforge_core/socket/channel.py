"""A channel: one connection's membership in one fleet, under the topic text that the client joined with."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from ringforge_core.plugin.capability import AgentSession
from ringforge_core.plugin.messages import Push, encode_message
from ringforge_core.socket.fanout import Outbox
from ringforge_core.socket.frames import NULL, Frame, json_text, push

MAX_WAITING = 256
"""Messages that may wait for the one in work; past it the connection is not read from until it is done."""


class Line(Protocol):
    """The connection that a channel is on."""

    agent: AgentSession | None
    address: str | None
    outbox: Outbox
    opened: bool

    def send(self, frame: bytes) -> None:
        """Send a frame after everything that was sent before."""

    def leave(self, channel: Channel, frame: Frame) -> None:
        """Answer a `phx_leave` and end the channel."""

    def end(self, channel: Channel) -> None:
        """The channel is over."""

    def close(self, code: int, reason: str = "") -> None:
        """Close the whole connection."""

    def move(self, fleet_id: str) -> int:
        """The agent is in this fleet now: close its channels in others; returns how many."""

    async def drained(self) -> None:
        """Wait until the client has taken what was written, when that is much."""


class Channel:
    """Handles its messages one after another; a `Member` to the capabilities."""

    __slots__ = ("agent", "busy", "closed", "connection", "entered", "join_ref", "joined", "topic", "waiting")

    def __init__(self, connection: Line, topic: str, join_ref: bytes) -> None:
        self.connection = connection
        self.topic = json_text(topic)
        self.join_ref = join_ref
        self.agent: AgentSession = None  # type: ignore[assignment]  # set by the join, before anybody sees the channel
        self.busy = True
        """True while a join or a request is in work: later messages wait."""
        self.joined = False
        self.entered = 0
        """How many capabilities know of the channel: those must hear of its leave."""
        self.closed = False
        self.waiting: deque[Frame] | None = None

    def push(self, push_: Push) -> None:
        self.send(push_.wire, encode_message(push_))

    def send(self, event: str, payload: bytes) -> None:
        """Push an already encoded payload to this channel alone."""
        if not self.closed:
            self.connection.send(push(self.join_ref, self.topic, event, payload))

    def unsent(self) -> int | None:
        """Bytes that wait for the tick's end or for the kernel; None when the channel or its connection has ended."""
        if self.closed or not self.connection.opened:
            return None
        return self.connection.outbox.unsent()

    def wait(self, frame: Frame) -> None:
        """Keep a message until the one in work is done."""
        if self.waiting is None:
            self.waiting = deque()
        self.waiting.append(frame)
        if len(self.waiting) == MAX_WAITING:
            self.connection.outbox.transport.pause_reading()

    def next(self) -> Frame | None:
        """The message that waited longest, None when there is none."""
        if not self.waiting:
            self.waiting = None
            return None
        if len(self.waiting) == MAX_WAITING:
            self.connection.outbox.transport.resume_reading()
        return self.waiting.popleft()

    def forget_waiting(self) -> None:
        """The channel is over: what still waits is not answered, and must not keep the connection from being read."""
        if self.waiting is not None and len(self.waiting) >= MAX_WAITING and self.connection.opened:
            self.connection.outbox.transport.resume_reading()
        self.waiting = None

    def is_stale(self, join_ref: bytes) -> bool:
        """True for a message of an earlier join of this topic; a null ref on either side is never stale."""
        return join_ref != self.join_ref and join_ref != NULL and self.join_ref != NULL
