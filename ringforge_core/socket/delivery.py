"""Delivers the fleet log to its members: live from the bus, and what was missed after a reconnect."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from ringforge_core.limits import TOPIC as QUOTA_WARNINGS
from ringforge_core.plugin.capability import Capability
from ringforge_core.ports.event_bus import Event, ReplayFilter, TopicKind
from ringforge_core.ports.store import Store
from ringforge_core.socket.channel import Channel
from ringforge_core.socket.following import LogFollower
from ringforge_core.socket.rooms import Room, Rooms, Visitor

HUB_TOPICS = (TopicKind(QUOTA_WARNINGS),)
"""What the hub itself tells the fleets."""
PAGE = 500
"""Missed events read at once."""


class ResumeFrom(msgspec.Struct):
    """What a rejoining client says it saw last."""

    epoch: str
    seq: int


class Resumed(msgspec.Struct):
    """The answer: `resumed` when everything after `ResumeFrom` follows; `gap` when `from_`..`to` cannot be had any more.

    `missed` counts the numbers in the gap; None when the epoch changed and nobody can tell.
    """

    status: str
    from_: int = msgspec.field(name="from")
    to: int
    missed: int | None


class Delivery:
    """Hands each event to those who are entitled to it, in `seq` order."""

    def __init__(self, rooms: Rooms, store: Store, capabilities: Sequence[Capability[Any]]) -> None:
        self._rooms = rooms
        self._store = store
        self._capabilities = capabilities
        self._by_topic: Mapping[str, Capability[Any]] = {
            topic.name: capability for capability in capabilities for topic in capability.topics
        }
        self._hearing: Mapping[str, Callable[[Event], None]] = {
            name: capability.heard
            for name, capability in self._by_topic.items()
            if type(capability).heard is not Capability.heard
        }
        self.follower = LogFollower(rooms, store, self._deliver)
        rooms.on_open(self._opened)

    async def take(self, events: Sequence[Event]) -> None:
        """The bus's handler."""
        self.follower.offer(events)

    def _deliver(self, room: Room, event: Event) -> None:
        if (heard := self._hearing.get(event.topic)) is not None:
            heard(event)
        recipients = self._recipients(event)
        if recipients is None:
            self._rooms.broadcast(room, event.push, numbered(event))
        else:
            self._rooms.send(room, recipients, event.push, numbered(event))
        for onlooker in room.watchers:
            onlooker.take(event)

    def _opened(self, room: Room) -> None:
        for capability in self._capabilities:
            capability.on_fleet_opened(room.fleet_id)
        self.follower.take_waiting(room)

    async def resume(self, wanted: ResumeFrom, visitor: Visitor, room: Room) -> tuple[Resumed, int]:
        """What can be resumed, and the `seq` after which to send."""
        if wanted.epoch != room.epoch or not await self.follower.reach(room, wanted.seq):
            return Resumed("gap", 1, room.seq, None), room.seq
        first = wanted.seq + 1
        if room.since(wanted.seq) is None:
            position = await self._store.position(visitor.tenant_id, visitor.fleet_id)
            if first < position.oldest_seq:
                last = position.oldest_seq - 1
                return Resumed("gap", first, last, position.oldest_seq - first), last
        return Resumed("resumed", first, room.seq, 0), wanted.seq

    async def catch_up(self, channel: Channel, room: Room, after: int) -> None:
        """Send the events after `after`, up to where the room is when this returns; enter the room without an await then.

        A slow reader is waited for: the next page is read when this one was taken.
        """
        agent = channel.agent
        while (events := room.since(after)) is None:
            head = room.seq  # all up to here is committed, so the page below has it; what comes later is left for then
            page = await self._store.events(
                agent.tenant_id, agent.fleet_id, ReplayFilter(viewer=agent.agent_id, after_seq=after, limit=PAGE)
            )
            self._send_entitled(channel, (event for event in page.events if event.seq <= head))
            after = head if page.next_seq is None else min(page.next_seq, head)
            await channel.connection.drained()
        self._send_entitled(channel, events)

    def _send_entitled(self, channel: Channel, events: Iterable[Event]) -> None:
        for event in events:
            recipients = self._recipients(event)
            if recipients is None or channel.agent.agent_id in recipients:
                channel.send(event.push, numbered(event))

    def _recipients(self, event: Event) -> Iterable[str] | None:
        """Those whom the event is for; None is the whole fleet. What no loaded capability knows is for nobody."""
        capability = self._by_topic.get(event.topic)
        if capability is not None:
            return capability.recipients(event)
        return event.audience.agents if event.topic == QUOTA_WARNINGS else ()


def numbered(event: Event) -> bytes:
    """The push's JSON text with the event's `epoch` and `seq` beside its `payload`."""
    return b'%b,"epoch":"%b","seq":%d}' % (bytes(event.body)[:-1], event.epoch.encode(), event.seq)
