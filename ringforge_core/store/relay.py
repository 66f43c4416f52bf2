"""Hands what was committed to the event bus, in order, at least once, without holding up the writer.

`Relay` serves a bus that replays the store's own log: what is lost on the way is in the log all the same. `OutboxRelay`
serves a broker, which must get every event: what it has not got yet is in the outbox, in a commit with the events.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

import structlog

from ringforge_core.errors import Unavailable
from ringforge_core.ports.event_bus import Event, EventBus, ReplayFilter
from ringforge_core.ports.store import Store
from ringforge_core.store.fleet_topics import FleetTopics
from ringforge_core.store.outbox import Adoption, Range, Settled, adopt, count_events, read_ranges, settle

FIRST_RETRY, LAST_RETRY = 0.05, 5.0
"""Seconds between tries while the bus does not take events."""
AT_ONCE = 1_000
"""Most events handed over in one call."""
SETTLE_SECONDS = 0.25
"""How long what was handed over stays in the outbox at most, while more comes."""
IN_MEMORY = 10_000
"""Events kept in memory for the bus; past it they are read from the log again when their turn comes."""

log = structlog.get_logger(__name__)


class Relay:
    """Started after the bus, stopped before it."""

    def __init__(self, store: Store, bus: EventBus, topics: FleetTopics) -> None:
        self._store = store
        self._bus = bus
        self._topics = topics
        self._waiting: list[Event] = []
        self._some = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        store.on_commit(self._committed)

    @property
    def backlog(self) -> int:
        """Events that the bus has not taken yet."""
        return len(self._waiting)

    async def settled(self, seconds: float) -> bool:
        """Whether a replay shows everything that was committed here before the call; waits for it up to `seconds`."""
        return True

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="relay")

    async def stop(self) -> None:
        """Returns when all that was committed is handed over, or the bus does not take it for `LAST_RETRY` seconds."""
        if self._task is None:
            return
        self._stopping = True
        self._some.set()
        done, _ = await asyncio.wait([self._task], timeout=LAST_RETRY)
        if not done:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self._task = None

    def _committed(self, events: Sequence[Event]) -> None:
        self._waiting.extend(events)
        self._some.set()

    async def _run(self) -> None:
        while not (self._stopping and not self._waiting):
            await self._some.wait()
            self._some.clear()
            events, self._waiting = self._waiting, []
            if events:
                await self._publish(events)

    async def _publish(self, events: Sequence[Event]) -> None:
        """An event that the bus cannot take at all is left out, so that it does not hold up all that come after it."""
        retry = FIRST_RETRY
        while True:
            try:
                for tenant_id, fleet_id in {(event.tenant_id, event.fleet_id) for event in events}:
                    await self._topics.ensure(tenant_id, fleet_id)
                await self._bus.publish(events)
                return
            except Unavailable as error:
                log.warning("bus_unavailable", reason=error.reason, events=len(events), retry_seconds=retry)
            except Exception:
                if len(events) > 1:
                    for event in events:
                        await self._publish([event])
                else:
                    log.exception("event_not_published", event_id=events[0].event_id, topic=events[0].topic)
                return
            await asyncio.sleep(retry)
            retry = min(retry * 2, LAST_RETRY)


class OutboxRelay(Relay):
    """`node` is the name under which this hub's commits are in the outbox."""

    def __init__(self, store: Store, bus: EventBus, topics: FleetTopics, node: str) -> None:
        super().__init__(store, bus, topics)
        self._node = node
        self._taken = 0
        self._handed = 0
        """Events that were committed, and handed over, since the start; what was left before counts as taken."""
        self._behind = True
        """The next events are read from the log; those in memory wait for nothing any more."""
        self._missed = False
        self._gone: list[str] = []
        self._done: dict[tuple[str, str], int] = {}
        """What was handed over and is still in the outbox: up to which number of each fleet."""
        self._settled_at = 0.0
        self._caught_up = asyncio.Event()

    @property
    def backlog(self) -> int:
        return max(0, self._taken - self._handed)

    async def start(self) -> None:
        """Begins with what an earlier life of this hub left."""
        self._taken = await self._count()
        self._some.set()
        await super().start()

    async def adopt(self, node: str) -> None:
        """Hand over what a hub that is gone did not."""
        self._gone.append(node)
        self._some.set()

    async def settled(self, seconds: float) -> bool:
        wanted = self._taken
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._handed < wanted:
                    self._caught_up.clear()
                    await self._caught_up.wait()
        return self._handed >= wanted

    def _committed(self, events: Sequence[Event]) -> None:
        self._taken += len(events)
        if not self._behind and len(self._waiting) + len(events) <= IN_MEMORY:
            self._waiting.extend(events)
        else:
            self._fall_behind()
        self._some.set()

    def _fall_behind(self) -> None:
        self._behind = self._missed = True
        self._waiting.clear()

    async def _run(self) -> None:
        while not (self._stopping and not self._waiting and not self._behind):
            await self._some.wait()
            self._some.clear()
            try:
                while self._gone or self._behind or self._waiting:
                    await self._step()
                if self._done and not self._stopping:
                    await self._settle_when_quiet()
                else:
                    await self._settle()
            except Unavailable as error:
                log.warning("outbox_unreadable", reason=error.reason, retry_seconds=FIRST_RETRY)
                self._fall_behind()
                self._some.set()
                await asyncio.sleep(FIRST_RETRY)

    async def _settle_when_quiet(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_SECONDS):
                await self._some.wait()
        if time.monotonic() - self._settled_at >= SETTLE_SECONDS:
            await self._settle()

    async def _step(self) -> None:
        if self._gone or self._behind:
            await self._settle()  # by number: what is read from the outbox now may have lower ones
        if self._gone:
            if await self._store.apply(adopt, Adoption(self._gone[0], self._node)):
                self._fall_behind()
                self._taken = self._handed + await self._count()
            self._gone.pop(0)
        elif self._behind:
            await self._catch_up()
        else:
            events, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
            await self._hand_over(events)
            self._done.update({(event.tenant_id, event.fleet_id): event.seq for event in events})

    async def _catch_up(self) -> None:
        self._missed = False
        ranges = await self._store.read(lambda connection: read_ranges(connection, self._node, AT_ONCE))
        for each in ranges:
            await self._hand_over_range(each)
        if not ranges and not self._missed:
            self._behind = False
            self._note_handed(self._taken)

    async def _hand_over_range(self, of: Range) -> None:
        after: int | None = of.first_seq - 1
        while after is not None and after < of.last_seq:
            query = ReplayFilter(after_seq=after, limit=min(AT_ONCE, of.last_seq - after))
            page = await self._store.events(of.tenant_id, of.fleet_id, query)
            events = [event for event in page.events if event.seq <= of.last_seq]
            if events:
                await self._hand_over(events)
            after = page.next_seq if events else None
        await self._store.apply(settle, Settled(self._node, {(of.tenant_id, of.fleet_id): of.last_seq}))

    async def _hand_over(self, events: Sequence[Event]) -> None:
        await self._publish(events)
        self._note_handed(min(self._taken, self._handed + len(events)))

    async def _settle(self) -> None:
        """A commit of its own, so not after each event: what is not settled at a crash is handed over twice."""
        done, self._done = self._done, {}
        self._settled_at = time.monotonic()
        if done:
            await self._store.apply(settle, Settled(self._node, done))

    def _note_handed(self, count: int) -> None:
        self._handed = count
        self._caught_up.set()

    async def _count(self) -> int:
        return await self._store.read(lambda connection: count_events(connection, self._node))
