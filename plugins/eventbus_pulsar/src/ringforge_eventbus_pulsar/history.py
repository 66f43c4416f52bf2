"""Replay: pages of a topic's past, in `seq` order.

A topic is sorted by when its events were published, which is nearly the order of `seq`: a hub that could not reach the
broker for a while brings its events late, behind younger ones of other hubs. So a page is complete only when the reading is
`straggler_seconds` past its last event. What comes later than that is missed by this page.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from heapq import nlargest, nsmallest

from cachetools import LRUCache

from ringforge_core.ports.event_bus import Event, Replay, ReplayFilter
from ringforge_eventbus_pulsar.past import Past, Published

_CLOCKS_MS = 60_000
"""How far apart the clocks of hubs may be."""
_FIRST_WINDOW_MS = 60_000
_WIDER = 16
"""The newest events are looked for in the last minute, then in the last 16, and so on."""
_CURSORS = 10_000
"""Pages whose end is remembered, so that the next one begins there."""

Select = Callable[[int, Sequence[Published]], list[Published]]


class History:
    """`page` reads a topic by the names of its partitions; `Unavailable` when the broker does not answer."""

    def __init__(self, past: Past, straggler_seconds: float) -> None:
        self._past = past
        self._straggler_ms = round(straggler_seconds * 1000)
        self._cursors: LRUCache[tuple[str, int], int] = LRUCache(_CURSORS)

    async def page(self, partitions: Sequence[str], query: ReplayFilter) -> Replay:
        if query.newest:
            return Replay(_events(await self._newest(partitions, query)), None)
        found = await self._oldest(partitions, query)
        page = found[: query.limit]
        if len(found) <= query.limit:
            return Replay(_events(page), None)
        last = page[-1]
        self._cursors[partitions[0], last.event.seq] = last.at_ms
        return Replay(_events(page), last.event.seq)

    async def count(self, partitions: Sequence[str], *, since: datetime, before: datetime) -> int:
        """How many events happened from `since` on and before `before`."""
        found: set[str] = set()
        async with self._past.read(partitions, _since_ms(since) - _CLOCKS_MS) as past:
            async for _, event in past:
                if since <= event.at < before:
                    found.add(event.event_id)
        return len(found)

    async def _oldest(self, partitions: Sequence[str], query: ReplayFilter) -> list[Published]:
        """The matches with the smallest numbers, one more than asked for when there are so many."""
        found = Found(query, query.limit + 1, _smallest)
        after = self._cursors.get((partitions[0], query.after_seq), 0)
        begin = max(_since_ms(query.since), after - self._straggler_ms) - _CLOCKS_MS
        complete_ms: int | None = None
        async with self._past.read(partitions, begin) as past:
            async for published in past:
                if complete_ms is not None and published.at_ms > complete_ms:
                    break
                found.add(published)
                if complete_ms is None and found.is_full():
                    complete_ms = published.at_ms + self._straggler_ms
        return found.selected()

    async def _newest(self, partitions: Sequence[str], query: ReplayFilter) -> list[Published]:
        """The matches with the greatest numbers, looked for in longer and longer windows up to now."""
        now, oldest = round(time.time() * 1000), _since_ms(query.since) - _CLOCKS_MS
        window = _FIRST_WINDOW_MS
        while True:
            begin = max(now - window - self._straggler_ms, oldest)
            found = Found(query, query.limit, _greatest)
            async with self._past.read(partitions, begin) as past:
                async for published in past:
                    found.add(published)
            selected = found.selected()
            enough = found.is_full() and min(each.at_ms for each in selected) >= begin + self._straggler_ms
            if enough or begin == oldest:
                return selected
            window *= _WIDER


class Found:
    """The best `limit` of all matches, each event once."""

    def __init__(self, query: ReplayFilter, limit: int, select: Select) -> None:
        self._query = query
        self._limit = limit
        self._select = select
        self._by_id: dict[str, Published] = {}

    def add(self, published: Published) -> None:
        event = published.event
        if self._query.admits(event):
            self._by_id.setdefault(event.event_id, published)
            if len(self._by_id) > 4 * self._limit + 1_000:
                self._by_id = {each.event.event_id: each for each in self.selected()}

    def is_full(self) -> bool:
        return len(self._by_id) >= self._limit

    def selected(self) -> list[Published]:
        """In `seq` order."""
        return sorted(self._select(self._limit, list(self._by_id.values())), key=_seq)


def _seq(published: Published) -> int:
    return published.event.seq


def _smallest(limit: int, found: Sequence[Published]) -> list[Published]:
    return nsmallest(limit, found, key=_seq)


def _greatest(limit: int, found: Sequence[Published]) -> list[Published]:
    return nlargest(limit, found, key=_seq)


def _events(found: Sequence[Published]) -> tuple[Event, ...]:
    return tuple(published.event for published in found)


def _since_ms(since: datetime | None) -> int:
    return 0 if since is None else round(since.timestamp() * 1000)
