"""Keeps every room at the head of its fleet's log, whichever hub wrote it and whatever way its events came.

Events come from this hub's own commits, from the bus, and from the log itself. A room takes them by their number: the next
one is delivered, an older one was, and a later one waits for those between. What does not come by itself is read from the
log, which all hubs share: so the bus may be late, out of order, doubled, or away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

import msgspec
import structlog

from ringforge_core.errors import Unavailable
from ringforge_core.plugin.periodic import Periodic
from ringforge_core.ports.event_bus import Event, ReplayFilter
from ringforge_core.ports.store import Store
from ringforge_core.socket.rooms import Room, Rooms
from ringforge_core.store import read_heads

PAGE = 500
"""Events read at once."""
PATIENCE = 0.02
"""Seconds that a number may be missing before the log is asked for it: another partition may bring it."""
LOOK_SECONDS = 1.0
"""How often all rooms are compared with the log: what neither bus nor signal told of comes within two looks."""
RETRY_SECONDS = 0.5
SIGNAL = "log"

log = structlog.get_logger(__name__)


class LogFollower:
    """`deliver` is called with each event of a room once, in `seq` order."""

    def __init__(self, rooms: Rooms, store: Store, deliver: Callable[[Room, Event], None]) -> None:
        self._rooms = rooms
        self._store = store
        self._deliver = deliver
        self._reading: dict[str, asyncio.Task[None]] = {}
        self._look = Periodic("log-follower", self._compare, LOOK_SECONDS)
        if store.shared:
            store.on_signal(SIGNAL, self._told, missed=self._read_all)

    async def start(self) -> None:
        if self._store.shared:
            await self._look.start()

    async def stop(self) -> None:
        await self._look.stop()
        reading = list(self._reading.values())
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)

    def tell_others(self, events: Sequence[Event]) -> None:
        """Signal the heads of what this hub committed, for a bus that does not leave it."""
        self._store.signal(SIGNAL, msgspec.json.encode({event.fleet_id: event.seq for event in events}))

    def offer(self, events: Iterable[Event]) -> None:
        """Take events in whatever order, as often as they come."""
        for event in events:
            room = self._rooms.get(event.fleet_id)
            if room is None or event.seq <= room.seq:
                continue
            if event.seq == room.seq + 1 and room.epoch:
                self._advance(room, event)
                if room.ahead:
                    self.take_waiting(room)
            else:
                room.keep(event)
                if room.epoch:
                    self.read_on(room, after=PATIENCE)

    def take_waiting(self, room: Room) -> None:
        """Deliver what came early, as far as its number is next."""
        while (event := room.ahead.pop(room.seq + 1, None)) is not None:
            self._advance(room, event)
        if room.ahead:
            room.ahead = {seq: event for seq, event in room.ahead.items() if seq > room.seq}

    def read_on(self, room: Room, *, after: float = 0.0) -> asyncio.Task[None]:
        """Read the log from where the room is to its end, in the background; one reading at a time."""
        task = self._reading.get(room.fleet_id)
        if task is None:
            task = self._reading[room.fleet_id] = asyncio.create_task(self._read(room, after), name="log-reading")
            task.add_done_callback(lambda _: self._reading.pop(room.fleet_id, None))
        return task

    async def reach(self, room: Room, seq: int) -> bool:
        """Bring the room up to this number; False when the log does not go so far."""
        while room.seq < seq:
            await self.read_on(room)
            if (await self._store.position(room.tenant_id, room.fleet_id)).seq < seq:
                return False
        return True

    async def reach_head(self, room: Room) -> None:
        """Bring the room up to everything that any hub acknowledged before this call."""
        if self._store.shared:
            await self.reach(room, (await room.position.value()).seq)

    async def _read(self, room: Room, after: float) -> None:
        if after:
            await asyncio.sleep(after)
            if not room.ahead:
                return
        more = True
        while more and self._rooms.get(room.fleet_id) is room:
            try:
                query = ReplayFilter(after_seq=room.seq, limit=PAGE)
                page = await self._store.events(room.tenant_id, room.fleet_id, query)
            except Unavailable as error:
                log.warning("log_unreadable", reason=error.reason, retry_seconds=RETRY_SECONDS)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            for event in page.events:
                if event.seq > room.seq:  # numbers between that are missing were trimmed: nobody can have them any more
                    self._advance(room, event)
            self.take_waiting(room)
            more = page.next_seq is not None

    def _advance(self, room: Room, event: Event) -> None:
        room.seq = event.seq
        room.recent.append(event)
        try:
            self._deliver(room, event)
        except Exception:
            log.exception("event_not_delivered", event_id=event.event_id, push=event.push)

    def _told(self, body: bytes) -> None:
        for fleet_id, seq in msgspec.json.decode(body, type=dict[str, int]).items():
            room = self._rooms.get(fleet_id)
            if room is not None and room.epoch and seq > room.seq:
                self.read_on(room)

    async def _read_all(self) -> None:
        for room in self._rooms.all():
            if room.epoch:
                self.read_on(room)

    async def _compare(self) -> None:
        rooms = [room for room in self._rooms.all() if room.epoch]
        heads = await self._store.read(lambda connection: read_heads(connection, [room.fleet_id for room in rooms]))
        for room in rooms:
            if room.seq < room.head:
                self.read_on(room)
            room.head = heads.get(room.fleet_id, 0)
