"""Writes frames to connections, batched by the tick of the event loop.

All frames that one topic gets within a tick are joined once and written to every member in one call; a connection's
own frames (replies, pushes to it alone) are joined too. The order in which frames were handed in is kept for each
connection across both ways: an own frame notes how many of its topic's frames came before it.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from ringforge_core.socket.transport import Transport


class Reader(Protocol):
    """Whose frames an outbox holds."""

    def close_slow(self) -> None:
        """It takes too little of what is written to it."""


class _Nobody:
    def close_slow(self) -> None:
        """Its connection has ended already."""


NOBODY = _Nobody()


class Outbox:
    """What one connection gets: its own frames that wait for the end of the tick, and the topics it is a member of."""

    __slots__ = ("frames", "joined_at", "reader", "topic", "topics", "transport")

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.transport: Transport = None  # type: ignore[assignment]  # set at the take-over, before the first frame
        self.frames: list[tuple[int, bytes]] = []
        """Each with the number of its topic's frames that were handed in before it."""
        self.joined_at = 0
        """The topic's frames of this tick that came before the membership."""
        self.topic: Topic | None = None
        """Its only topic, or None when it has several or none."""
        self.topics: list[Topic] = []

    def unsent(self) -> int:
        """Bytes that wait for the end of the tick or for the kernel."""
        return sum(len(frame) for _, frame in self.frames) + self.transport.buffered()


class Topic:
    """The members that get the same bytes: one fleet under one topic text."""

    __slots__ = ("frames", "members", "mixed", "text")

    def __init__(self, text: bytes) -> None:
        self.text = text
        """The topic as JSON text."""
        self.members: dict[Outbox, None] = {}
        self.mixed: dict[Outbox, None] = {}
        """Members of several topics: they get each frame by themselves, so that order is kept across topics."""
        self.frames: list[bytes] = []


class Fanout:
    """Collects what is to be sent in this tick; flushes once per tick."""

    def __init__(self, *, max_buffered: int) -> None:
        self._max_buffered = max_buffered
        self._topics: list[Topic] = []
        self._outboxes: list[Outbox] = []
        self._scheduled = False

    def broadcast(self, topic: Topic, frame: bytes) -> None:
        """Send to all members of the topic."""
        if topic.members:
            if not topic.frames:
                self._topics.append(topic)
                self._schedule()
            topic.frames.append(frame)
        for outbox in topic.mixed:
            self.send(outbox, frame)

    def send(self, outbox: Outbox, frame: bytes) -> None:
        """Send to one connection, after everything that was handed in for it before."""
        if not outbox.frames:
            self._outboxes.append(outbox)
            self._schedule()
        topic = outbox.topic
        outbox.frames.append((len(topic.frames) if topic else 0, frame))

    def attach(self, outbox: Outbox, topic: Topic) -> None:
        """Make the connection a member: it gets what is handed in from now on, also when earlier frames still wait."""
        if outbox.topic is None and not outbox.topics:
            outbox.topic = topic
            topic.members[outbox] = None
            if topic.frames:
                outbox.joined_at = len(topic.frames)
                self.send(outbox, b"")
        else:
            if (only := outbox.topic) is not None:
                self.settle(outbox)
                outbox.topic = None
                del only.members[outbox]
                only.mixed[outbox] = None
            topic.mixed[outbox] = None
        outbox.topics.append(topic)

    def detach(self, outbox: Outbox, topic: Topic) -> None:
        """End the membership; what was handed in before is still written."""
        self.settle(outbox)
        outbox.topics.remove(topic)
        if outbox.topic is topic:
            outbox.topic = None
        topic.members.pop(outbox, None)
        topic.mixed.pop(outbox, None)

    def settle(self, outbox: Outbox) -> None:
        """Write what waits for this connection now, before its memberships change or it closes."""
        topic = outbox.topic
        if topic is not None and topic.frames:
            self._write(outbox, _merge(outbox, topic.frames))
            outbox.joined_at = len(topic.frames)
            self.send(outbox, b"")
        elif outbox.frames:
            self._write(outbox, _merge(outbox, ()))

    def flush(self) -> None:
        """Write everything that waits, now."""
        self._scheduled = False
        topics, self._topics = self._topics, []
        outboxes, self._outboxes = self._outboxes, []
        for topic in topics:
            frames, topic.frames = topic.frames, []
            self._write_topic(topic, frames)
        for outbox in outboxes:
            if outbox.frames:
                self._write(outbox, _merge(outbox, ()))

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self.flush)

    def _write_topic(self, topic: Topic, frames: list[bytes]) -> None:
        joined = frames[0] if len(frames) == 1 else b"".join(frames)
        slow = []
        for outbox in topic.members:
            transport = outbox.transport
            if transport.paused and transport.buffered() > self._max_buffered:
                slow.append(outbox)
            else:
                transport.write(_merge(outbox, frames) if outbox.frames else joined)
        for outbox in slow:
            outbox.reader.close_slow()

    def _write(self, outbox: Outbox, frames: bytes) -> None:
        transport = outbox.transport
        if transport.paused and transport.buffered() > self._max_buffered:
            outbox.reader.close_slow()
        else:
            transport.write(frames)


def _merge(outbox: Outbox, topic_frames: list[bytes] | tuple[()]) -> bytes:
    """The connection's own frames, set in between its topic's frames where they were handed in."""
    own, outbox.frames = outbox.frames, []
    done, outbox.joined_at = outbox.joined_at, 0
    if not topic_frames and len(own) == 1:
        return own[0][1]
    merged: list[bytes] = []
    for position, frame in own:
        merged += topic_frames[done:position]
        merged.append(frame)
        done = max(done, position)
    merged += topic_frames[done:]
    return b"".join(merged)
