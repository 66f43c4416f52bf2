"""Replay: pages of a topic's past, in `seq` order.

A topic is sorted by when its events were published, which is nearly the order of `seq`: a hub that could not reach the
broker for a while brings its events late, behind younger ones of other hubs. So a page is complete only when the reading is
`straggler_seconds` past its last event. What comes later than that is missed by this page.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from heapq import nlargest, nsmallest

import msgspec
from cachetools import TTLCache

from ringforge_core.ports.event_bus import Event, Replay, ReplayFilter
from ringforge_eventbus_pulsar.notes import StoredTopic
from ringforge_eventbus_pulsar.past import Past, Published

_CLOCKS_MS = 60_000
"""How far apart the clocks of hubs may be."""
_FIRST_WINDOW_MS = 60_000
_WIDER = 16
"""The newest events are looked for in the last minute, then in the last 16, and so on."""
_CURSORS = 10_000
_CURSOR_SECONDS = 600
"""Pages whose end is remembered, so that the next one begins there; and for how long."""


class History:
    """Every verb raises `Unavailable` when the broker does not answer."""

    def __init__(self, past: Past, straggler_seconds: float) -> None:
        self._past = past
        self._straggler_ms = round(straggler_seconds * 1000)
        self._cursors: TTLCache[tuple[str, int], int] = TTLCache(_CURSORS, _CURSOR_SECONDS)

    async def page(self, topic: StoredTopic, query: ReplayFilter) -> Replay:
        since = topic.oldest if query.since is None else max(topic.oldest, query.since)
        query = msgspec.structs.replace(query, since=since)
        if query.newest:
            return Replay(_events(await self._newest(topic, query)), None)
        found = await self._oldest(topic, query)
        page = found[: query.limit]
        if len(found) <= query.limit:
            return Replay(_events(page), None)
        last = page[-1]
        self._cursors[topic.partitions[0], last.event.seq] = last.at_ms
        return Replay(_events(page), last.event.seq)

    async def count(self, topic: StoredTopic, *, before: datetime) -> int:
        """How many events that are not forgotten yet happened before `before`."""
        found: set[str] = set()
        async with self._past.read(topic.partitions, _begin_ms(topic, topic.oldest)) as past:
            async for _, event in past:
                if topic.oldest <= event.at < before:
                    found.add(event.event_id)
        return len(found)

    async def _oldest(self, topic: StoredTopic, query: ReplayFilter) -> list[Published]:
        """The matches with the smallest numbers, one more than asked for when there are so many."""
        found = Found(query, query.limit + 1)
        after = self._cursors.get((topic.partitions[0], query.after_seq), 0) - self._straggler_ms - _CLOCKS_MS
        complete_ms: int | None = None
        async with self._past.read(topic.partitions, max(_begin_ms(topic, query.since), after)) as past:
            async for published in past:
                if complete_ms is not None and published.at_ms > complete_ms:
                    break
                found.add(published)
                if complete_ms is None and found.is_full():
                    complete_ms = published.at_ms + self._straggler_ms
        return found.selected()

    async def _newest(self, topic: StoredTopic, query: ReplayFilter) -> list[Published]:
        """The matches with the greatest numbers, looked for in longer and longer windows up to now."""
        now, first = round(time.time() * 1000), _begin_ms(topic, query.since)
        window = _FIRST_WINDOW_MS
        while True:
            begin = now - window - self._straggler_ms
            begin = begin if begin > max(first, _ms(topic.created)) else first
            found = Found(query, query.limit)
            async with self._past.read(topic.partitions, begin) as past:
                async for published in past:
                    found.add(published)
            selected = found.selected()
            enough = found.is_full() and min(each.at_ms for each in selected) >= begin + self._straggler_ms
            if enough or begin == first:
                return selected
            window *= _WIDER


class Found:
    """The oldest `limit` of all matches, or the newest when the query says so; each event once."""

    def __init__(self, query: ReplayFilter, limit: int) -> None:
        self._query = query
        self._limit = limit
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
        choose = nlargest if self._query.newest else nsmallest
        return sorted(choose(self._limit, self._by_id.values(), key=_seq), key=_seq)


def _seq(published: Published) -> int:
    return published.event.seq


def _events(found: Sequence[Published]) -> tuple[Event, ...]:
    return tuple(published.event for published in found)


def _begin_ms(topic: StoredTopic, since: datetime | None) -> int:
    """Where to read from; 0 where the topic begins."""
    if since is None or since <= topic.created:
        return 0
    return _ms(since) - _CLOCKS_MS


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
