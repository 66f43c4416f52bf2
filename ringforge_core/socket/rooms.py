"""The fleets that have members on this node, and the ways to reach them: the whole fleet, or one agent.

A room exists while somebody is in it or on the way in. Its `seq` is how far this node has delivered the fleet's log: an
event is delivered once, in order, and a new member starts exactly there.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from ringforge_core.plugin.capability import AgentSession
from ringforge_core.plugin.messages import Push, encode_message
from ringforge_core.ports import event_bus
from ringforge_core.ports.event_bus import Event, EventBus, TopicKind
from ringforge_core.ports.store import Store
from ringforge_core.socket.channel import Channel
from ringforge_core.socket.fanout import Fanout, Topic
from ringforge_core.socket.frames import NULL, push

RECENT = 256
"""Delivered events that a room keeps in memory: a member that was away for a moment resumes without the database."""


class Room:
    """One fleet on this node."""

    __slots__ = ("agents", "arrivals", "epoch", "fleet_id", "opening", "recent", "seq", "topics")

    def __init__(self, fleet_id: str) -> None:
        self.fleet_id = fleet_id
        self.epoch = ""
        self.seq = 0
        self.recent: deque[Event] = deque(maxlen=RECENT)
        self.topics: dict[bytes, Topic] = {}
        self.agents: dict[str, list[Channel]] = {}
        self.opening = asyncio.Lock()
        self.arrivals = 0
        """Joins in work that hold the room open."""

    def delivered(self, event: Event) -> bool:
        """Note an event as delivered; False when the room is past it."""
        if event.seq <= self.seq:
            return False
        self.seq = event.seq
        self.recent.append(event)
        return True

    def since(self, seq: int) -> list[Event] | None:
        """The delivered events after `seq`; None when they go back further than memory does."""
        if seq >= self.seq:
            return []
        if not self.recent or self.recent[0].seq > seq + 1:
            return None
        return [event for event in self.recent if event.seq > seq]


class Rooms:
    """All rooms of this node; the capabilities' `Pushes`."""

    def __init__(self, fanout: Fanout, store: Store) -> None:
        self._fanout = fanout
        self._store = store
        self._rooms: dict[str, Room] = {}
        self._bus: EventBus
        self._topics: Sequence[TopicKind] = ()
        self._retention = timedelta()

    def keep_topics(self, bus: EventBus, topics: Sequence[TopicKind], retention: timedelta) -> None:
        """The topics that every fleet has on the bus, and how long their events are kept there."""
        self._bus, self._topics, self._retention = bus, topics, retention

    def get(self, fleet_id: str) -> Room | None:
        return self._rooms.get(fleet_id)

    def agent_count(self) -> int:
        return sum(len(room.agents) for room in self._rooms.values())

    @asynccontextmanager
    async def arrive(self, agent: AgentSession) -> AsyncIterator[Room]:
        """The agent's room, held open while it joins; all who come at once wait for one opening."""
        room = self._rooms.get(agent.fleet_id)
        if room is None:
            room = self._rooms[agent.fleet_id] = Room(agent.fleet_id)
        room.arrivals += 1
        try:
            if not room.epoch:
                await self._open(room, agent)
            yield room
        finally:
            room.arrivals -= 1
            self._close_if_empty(room)

    async def _open(self, room: Room, agent: AgentSession) -> None:
        """Read where the log ends. The room is there before: what is committed by then is in the position, what is
        delivered after is noted by the room, so no event falls between."""
        async with room.opening:
            if room.epoch:
                return
            for kind in self._topics:
                topic = event_bus.Topic(agent.tenant_id, agent.fleet_id, kind.name)
                await self._bus.ensure_topic(
                    topic, retention=self._retention, partitions=kind.partitions, compacted=kind.compacted
                )
            position = await self._store.position(agent.tenant_id, agent.fleet_id)
            room.epoch = position.epoch
            room.seq = max(room.seq, position.seq)

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

    def to_fleet(self, fleet_id: str, push: Push) -> None:
        room = self._rooms.get(fleet_id)
        if room is not None:
            self.broadcast(room, push.wire, encode_message(push))

    def to_agent(self, fleet_id: str, agent_id: str, push: Push) -> int:
        room = self._rooms.get(fleet_id)
        channels = room.agents.get(agent_id, ()) if room else ()
        if channels:
            payload = encode_message(push)
            for channel in channels:
                channel.send(push.wire, payload)
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
