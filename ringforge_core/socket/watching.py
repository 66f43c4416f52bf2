"""Watchers: who follows a fleet without being an agent of it. Nobody sees them, and presence does not count them.

A watcher holds its room open, so the room follows the log for it as for any member. It gets every event of the log, those
for single agents too: it must belong to the tenant's people.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from ringforge_core.plugin.administration import Position, Told
from ringforge_core.ports.event_bus import Event, ReplayFilter
from ringforge_core.ports.store import Store
from ringforge_core.socket.delivery import Delivery, ResumeFrom
from ringforge_core.socket.rooms import Room, Rooms

WAITING = 5_000
"""Events that may wait for a watcher; past it the watch is over, and another one begins where it was."""
CAUGHT_UP = 1_000
"""Missed events that a watcher is given; when it missed more, it looks at everything anew."""


class Watcher:
    """A `plugin.Watch`."""

    def __init__(self, tenant_id: str, fleet_id: str) -> None:
        self.tenant_id = tenant_id
        self.fleet_id = fleet_id
        self.gap = False
        self._waiting: list[Event | Told] = []
        self._more = asyncio.Event()
        self._over = False

    def take(self, happening: Event | Told) -> None:
        if len(self._waiting) >= WAITING:
            self.end()
        elif not self._over:
            self._waiting.append(happening)
            self._more.set()

    def end(self) -> None:
        """What waits is not given out any more: whoever resumes gets it from the log."""
        self._over = True
        self._waiting.clear()
        self._more.set()

    async def next(self) -> Sequence[Event | Told] | None:
        await self._more.wait()
        if self._over:
            return None
        happenings, self._waiting = self._waiting, []
        self._more.clear()
        return happenings


class Watchers:
    """All watchers of this node."""

    def __init__(self, rooms: Rooms, store: Store) -> None:
        self._rooms = rooms
        self._store = store
        self._all: set[Watcher] = set()
        self._ended = False

    @asynccontextmanager
    async def watch(
        self, delivery: Delivery, tenant_id: str, fleet_id: str, after: Position | None
    ) -> AsyncIterator[Watcher]:
        watcher = Watcher(tenant_id, fleet_id)
        async with self._rooms.arrive(watcher) as room:
            missed: Sequence[Event] = ()
            if after is not None:
                missed = await self._missed(delivery, watcher, room, after)
            for event in missed:
                watcher.take(event)
            room.watchers.append(watcher)
            self._all.add(watcher)
            if self._ended:  # it came while the hub stops, which waits for what it serves
                watcher.end()
            try:
                yield watcher
            finally:
                self._all.discard(watcher)
                room.watchers.remove(watcher)

    def end_all(self) -> None:
        """The hub stops; who comes later is at the end at once."""
        self._ended = True
        for watcher in list(self._all):
            watcher.end()

    async def _missed(self, delivery: Delivery, watcher: Watcher, room: Room, after: Position) -> Sequence[Event]:
        """The events from `after` to where the room is when this returns."""
        resumed, seq = await delivery.resume(ResumeFrom(after.epoch, after.seq), watcher, room)
        watcher.gap = resumed.status == "gap" or room.seq - seq > CAUGHT_UP
        if watcher.gap:
            return ()
        found: list[Event] = []
        while (events := room.since(seq)) is None:
            head = room.seq
            query = ReplayFilter(after_seq=seq, limit=CAUGHT_UP)
            page = await self._store.events(watcher.tenant_id, watcher.fleet_id, query)
            found += [event for event in page.events if event.seq <= head]
            seq = head if page.next_seq is None else min(page.next_seq, head)
        return [*found, *events]
