"""Writes frames to connections, batched by the tick of the event loop.

All frames that one topic gets within a tick are joined once and written to every member in one call; a connection's
own frames (replies, pushes to it alone) are joined too. The order in which frames were handed in is kept for each
connection across both ways: an own frame notes how many of its topic's frames came before it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ringforge_core.socket.connection import Connection


class Topic:
    """The members that get the same bytes: one fleet under one topic text."""

    __slots__ = ("frames", "members", "mixed", "text")

    def __init__(self, text: bytes) -> None:
        self.text = text
        """The topic as JSON text."""
        self.members: dict[Connection, None] = {}
        self.mixed: dict[Connection, None] = {}
        """Members that hold several channels: they get each frame by themselves, so that order is kept across topics."""
        self.frames: list[bytes] = []


class Fanout:
    """Collects what is to be sent in this tick; flushes once per tick."""

    def __init__(self, *, max_buffered: int) -> None:
        self._max_buffered = max_buffered
        self._topics: list[Topic] = []
        self._connections: list[Connection] = []
        self._scheduled = False

    def broadcast(self, topic: Topic, frame: bytes) -> None:
        """Send to all members of the topic."""
        if topic.members:
            if not topic.frames:
                self._topics.append(topic)
                self._schedule()
            topic.frames.append(frame)
        for connection in topic.mixed:
            self.send(connection, frame)

    def send(self, connection: Connection, frame: bytes) -> None:
        """Send to one connection, after everything that was handed in for it before."""
        if not connection.outbox:
            self._connections.append(connection)
            self._schedule()
        topic = connection.topic
        connection.outbox.append((len(topic.frames) if topic else 0, frame))

    def attach(self, connection: Connection, topic: Topic) -> None:
        """Make the connection a member: it gets what is handed in from now on, also when earlier frames still wait."""
        if connection.topic is None and not connection.topics:
            connection.topic = topic
            topic.members[connection] = None
            if topic.frames:
                connection.joined_at = len(topic.frames)
                self.send(connection, b"")
        else:
            if (only := connection.topic) is not None:
                self.settle(connection)
                connection.topic = None
                del only.members[connection]
                only.mixed[connection] = None
            topic.mixed[connection] = None
        connection.topics.append(topic)

    def detach(self, connection: Connection, topic: Topic) -> None:
        """End the membership; what was handed in before is still written."""
        self.settle(connection)
        connection.topics.remove(topic)
        if connection.topic is topic:
            connection.topic = None
        topic.members.pop(connection, None)
        topic.mixed.pop(connection, None)

    def settle(self, connection: Connection) -> None:
        """Write what waits for this connection now, before its memberships change or it closes."""
        topic = connection.topic
        if topic is not None and topic.frames:
            self._write(connection, _merge(connection, topic.frames))
            connection.joined_at = len(topic.frames)
            self.send(connection, b"")
        elif connection.outbox:
            self._write(connection, _merge(connection, ()))

    def flush(self) -> None:
        """Write everything that waits, now."""
        self._scheduled = False
        topics, self._topics = self._topics, []
        connections, self._connections = self._connections, []
        for topic in topics:
            frames, topic.frames = topic.frames, []
            self._write_topic(topic, frames)
        for connection in connections:
            if connection.outbox:
                self._write(connection, _merge(connection, ()))

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self.flush)

    def _write_topic(self, topic: Topic, frames: list[bytes]) -> None:
        joined = frames[0] if len(frames) == 1 else b"".join(frames)
        slow = []
        for connection in topic.members:
            transport = connection.transport
            if transport.paused and transport.buffered() > self._max_buffered:
                slow.append(connection)
            else:
                transport.write(_merge(connection, frames) if connection.outbox else joined)
        for connection in slow:
            connection.close_slow()

    def _write(self, connection: Connection, frames: bytes) -> None:
        transport = connection.transport
        if transport.paused and transport.buffered() > self._max_buffered:
            connection.close_slow()
        else:
            transport.write(frames)


def _merge(connection: Connection, topic_frames: list[bytes] | tuple[()]) -> bytes:
    """The connection's own frames, set in between its topic's frames where they were handed in."""
    outbox, connection.outbox = connection.outbox, []
    done, connection.joined_at = connection.joined_at, 0
    if not topic_frames and len(outbox) == 1:
        return outbox[0][1]
    merged: list[bytes] = []
    for position, frame in outbox:
        merged += topic_frames[done:position]
        merged.append(frame)
        done = max(done, position)
    merged += topic_frames[done:]
    return b"".join(merged)
