"""What one subscriber, or one group of them, still has to see.

The queue is bounded. When it is full, the consumer notes how far it has seen each fleet and reads the rest from the log
once it has caught up with the queue. So a slow subscriber costs a fixed amount of memory, loses nothing and holds nobody.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from ringforge_core.ports.event_bus import Event, Replay, ReplayFilter

BATCH = 500
"""Most events handed to a handler, or read from the log, at once."""

ReadLog = Callable[[str, str, ReplayFilter], Awaitable[Replay]]
Key = tuple[str, str]


class Gap(msgspec.Struct):
    """Events of a fleet that are in the log only: those after `after`, up to and including `until`."""

    after: int
    until: int


class Consumer:
    def __init__(self, topics: frozenset[str], *, shared: bool, capacity: int, read_log: ReadLog) -> None:
        self.topics = topics
        self.members = 0
        self.changed = asyncio.Event()
        """Set when there may be something to take."""
        self.drained = asyncio.Event()
        """Set while everything that was offered has been handled."""
        self.drained.set()
        self._shared = shared
        self._capacity = capacity
        self._read_log = read_log
        self._queue: deque[Event] = deque()
        self._gaps: dict[tuple[str, str], Gap] = {}
        self._held: dict[Key, object] = {}
        self._in_work = 0
        self._reading = False

    def offer(self, events: Sequence[Event]) -> None:
        """Take the events over; never blocks, never refuses."""
        wanted = [event for event in events if event.topic in self.topics] if self.topics else events
        if not self._gaps and len(self._queue) + len(wanted) <= self._capacity:
            self._queue.extend(wanted)
        else:
            for event in wanted:
                self._offer_one(event)
        self._note()

    def _offer_one(self, event: Event) -> None:
        fleet = (event.tenant_id, event.fleet_id)
        gap = self._gaps.get(fleet)
        if gap is not None:
            gap.until = event.seq
        elif len(self._queue) < self._capacity:
            self._queue.append(event)
        else:
            self._gaps[fleet] = Gap(event.seq - 1, event.seq)

    def backlog(self) -> int:
        """Events that were offered and not taken yet, those in the log only included."""
        return len(self._queue) + sum(gap.until - gap.after for gap in self._gaps.values())

    def take(self, member: object) -> list[Event]:
        """The next events for this member, which owes a `done` or a `give_back` for them.

        In a group their keys are the member's own until then: events of one key are handled in order, by one at a time.
        """
        if self._shared:
            taken = self._take_share(member)
        elif len(self._queue) <= BATCH:
            taken = list(self._queue)
            self._queue.clear()
        else:
            taken = [self._queue.popleft() for _ in range(BATCH)]
        self._in_work += bool(taken)
        return taken

    def _take_share(self, member: object) -> list[Event]:
        share = min(BATCH, -(-len(self._queue) // self.members))
        taken: list[Event] = []
        passed: deque[Event] = deque()
        while self._queue and len(taken) < share:
            event = self._queue.popleft()
            mine = self._held.setdefault(_key(event), member) is member
            (taken if mine else passed).append(event)
        self._queue.extendleft(reversed(passed))
        return taken

    def done(self, member: object) -> None:
        """The member has handled what it took."""
        self._in_work -= 1
        if self._held:
            self._held = {key: holder for key, holder in self._held.items() if holder is not member}
        self._note()

    def give_back(self, member: object, events: Sequence[Event]) -> None:
        """The member will not handle these: they go back to the front, for the others of the group."""
        self._queue.extendleft(reversed(events))
        self.done(member)

    async def catch_up(self) -> bool:
        """Read the next page of what is in the log only; False when there is no such thing or another member reads."""
        if self._queue or not self._gaps or self._reading:
            return False
        self._reading = True
        try:
            await self._read_page()
        finally:
            self._reading = False
        return True

    async def _read_page(self) -> None:
        fleet, gap = next(iter(self._gaps.items()))
        until = gap.until  # what is committed later may be missing in the page, also when `gap.until` moves meanwhile
        page = await self._read_log(*fleet, ReplayFilter(after_seq=gap.after, limit=BATCH))
        events = [event for event in page.events if event.seq <= until]
        complete = page.next_seq is None or len(events) < len(page.events)
        gap.after = until if complete else max(gap.after, events[-1].seq)
        if gap.after >= gap.until:
            del self._gaps[fleet]
        self._queue.extend(event for event in events if not self.topics or event.topic in self.topics)
        self._note()

    def _note(self) -> None:
        self.changed.set()
        if self._queue or self._gaps or self._in_work:
            self.drained.clear()
        else:
            self.drained.set()


def _key(event: Event) -> Key:
    return event.fleet_id, event.key
