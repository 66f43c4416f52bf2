"""The fleets that have members on this node, and the ways to reach them: the whole fleet, or one agent.

A room exists while somebody is in it or on the way in. Its `seq` is how far this node has delivered the fleet's log: an
event is delivered once, in order, and a new member starts exactly there.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Protocol

from ringforge_core.plugin.administration import Told
from ringforge_core.ports.event_bus import Event
from ringforge_core.ports.store import Store
from ringforge_core.socket.channel import Channel
from ringforge_core.socket.fanout import Fanout, Topic
from ringforge_core.socket.frames import NULL, push
from ringforge_core.socket.shared_reading import SharedReading

RECENT = 256
"""Delivered events that a room keeps in memory: a member that was away for a moment resumes without the database."""

AHEAD = 10_000
"""Events that a room keeps which came before their turn."""


class Visitor(Protocol):
    """Whoever comes into a room: an agent, or somebody who watches."""

    tenant_id: str
    fleet_id: str


class Onlooker(Protocol):
    """Sees what happens in a room, and is no member of it."""

    def take(self, happening: Event | Told) -> None: ...


class Room:
    """One fleet on this node."""

    __slots__ = (
        "agents", "ahead", "arrivals", "epoch", "fleet_id", "head", "opening", "position", "recent", "seq", "tenant_id",
        "topics", "watchers",
    )  # fmt: skip

    def __init__(self, tenant_id: str, fleet_id: str, store: Store) -> None:
        self.tenant_id = tenant_id
        self.fleet_id = fleet_id
        self.epoch = ""
        self.seq = 0
        self.head = 0
        """How far the log went when it was last looked at."""
        self.ahead: dict[int, Event] = {}
        """Events that came before those that precede them."""
        self.recent: deque[Event] = deque(maxlen=RECENT)
        self.position = SharedReading(lambda: store.position(tenant_id, fleet_id))
        """Where the log is by now; a thousand agents that join at once read it a few times."""
        self.topics: dict[bytes, Topic] = {}
        self.agents: dict[str, list[Channel]] = {}
        self.opening = asyncio.Lock()
        self.arrivals = 0
        """Joins in work, and watchers, that hold the room open."""
        self.watchers: list[Onlooker] = []

    def keep(self, event: Event) -> None:
        """Keep an event that came early; past `AHEAD` of them they are read from the log in their turn."""
        if len(self.ahead) < AHEAD:
            self.ahead[event.seq] = event

    def since(self, seq: int) -> list[Event] | None:
        """The delivered events after `seq`; None when they go back further than memory does."""
        if seq >= self.seq:
            return []
        if not self.recent or self.recent[0].seq > seq + 1:
            return None
        return [event for event in self.recent if event.seq > seq]


class Rooms:
    """All rooms of this node."""

    def __init__(self, fanout: Fanout, store: Store) -> None:
        self._fanout = fanout
        self._store = store
        self._rooms: dict[str, Room] = {}
        self._on_open: Callable[[Room], None] = lambda _: None

    def on_open(self, listener: Callable[[Room], None]) -> None:
        """Call it when a room has its place in the log, before anybody is in it."""
        self._on_open = listener

    def all(self) -> list[Room]:
        return list(self._rooms.values())

    def get(self, fleet_id: str) -> Room | None:
        return self._rooms.get(fleet_id)

    def agent_count(self) -> int:
        return sum(len(room.agents) for room in self._rooms.values())

    @asynccontextmanager
    async def arrive(self, visitor: Visitor) -> AsyncIterator[Room]:
        """The visitor's room, held open while it joins or watches; all who come at once wait for one opening."""
        room = self._rooms.get(visitor.fleet_id)
        if room is None:
            room = self._rooms[visitor.fleet_id] = Room(visitor.tenant_id, visitor.fleet_id, self._store)
        room.arrivals += 1
        try:
            if not room.epoch:
                await self._open(room)
            yield room
        finally:
            room.arrivals -= 1
            self._close_if_empty(room)

    async def _open(self, room: Room) -> None:
        """Read where the log ends. The room is there before: what is committed by then is in the position, what comes
        meanwhile is kept by the room, so no event falls between."""
        async with room.opening:
            if room.epoch:
                return
            position = await self._store.position(room.tenant_id, room.fleet_id)
            room.epoch, room.seq = position.epoch, position.seq
            self._on_open(room)

    def enter(self, room: Room, channel: Channel) -> None:
        """Make the channel a member: it gets what is sent from now on."""
        topic = room.topics.get(channel.topic)
        if topic is None:
            topic = room.topics[channel.topic] = Topic(channel.topic)
        self._fanout.attach(channel.connection.outbox, topic)
        room.agents.setdefault(channel.agent.agent_id, []).append(channel)

    def leave(self, channel: Channel) -> None:
        """End the membership; the last one out ends the room."""
        room = self._rooms[channel.agent.fleet_id]
        topic = room.topics[channel.topic]
        self._fanout.detach(channel.connection.outbox, topic)
        if not topic.members and not topic.mixed:
            del room.topics[channel.topic]
        channels = room.agents[channel.agent.agent_id]
        channels.remove(channel)
        if not channels:
            del room.agents[channel.agent.agent_id]
        self._close_if_empty(room)

    def broadcast(self, room: Room, event: str, payload: bytes) -> None:
        """Send an encoded payload to every member; encoded once per topic text."""
        for topic in room.topics.values():
            self._fanout.broadcast(topic, push(NULL, topic.text, event, payload))

    def send(self, room: Room, agent_ids: Iterable[str], event: str, payload: bytes) -> None:
        """Send an encoded payload to every channel of these agents."""
        for agent_id in agent_ids:
            for channel in room.agents.get(agent_id, ()):
                channel.send(event, payload)

    def to_fleet(self, fleet_id: str, event: str, payload: bytes) -> None:
        """Send an encoded payload to the fleet's members here."""
        room = self._rooms.get(fleet_id)
        if room is not None:
            self.broadcast(room, event, payload)
            for onlooker in room.watchers:
                onlooker.take(Told(event, payload))

    def to_agent(self, fleet_id: str, agent_id: str, event: str, payload: bytes) -> int:
        """Send an encoded payload to the agent's channels here; returns how many."""
        room = self._rooms.get(fleet_id)
        channels = room.agents.get(agent_id, ()) if room else ()
        for channel in channels:
            channel.send(event, payload)
        return len(channels)

    def close_agent(self, agent_id: str, *, code: int, reason: str) -> int:
        connections = {channel.connection for room in self._rooms.values() for channel in room.agents.get(agent_id, ())}
        for connection in connections:
            connection.close(code, reason)
        return len(connections)

    def move_agent(self, agent_id: str, fleet_id: str) -> int:
        connections = {channel.connection for room in self._rooms.values() for channel in room.agents.get(agent_id, ())}
        return sum(connection.move(fleet_id) for connection in connections)

    def _close_if_empty(self, room: Room) -> None:
        if not room.agents and not room.arrivals:
            self._rooms.pop(room.fleet_id, None)
