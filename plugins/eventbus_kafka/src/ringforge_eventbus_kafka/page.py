"""What a replay returns, while the log is read: the oldest or newest `limit` events that the filter lets through."""

from __future__ import annotations

import heapq
from datetime import datetime

from ringforge_core.ports.event_bus import Event, Replay, ReplayFilter, Topic


class Page:
    """Keeps one event more than the limit, to know whether another page follows; each event once."""

    def __init__(self, topic: Topic, query: ReplayFilter) -> None:
        self._topic = topic
        self._query = query
        self._sign = -1 if not query.newest else 1
        self._events: dict[str, Event] = {}
        self._worst: list[tuple[int, str]] = []

    def offer(self, event: Event) -> None:
        mine = event.tenant_id == self._topic.tenant_id and event.fleet_id == self._topic.fleet_id
        if not mine or event.event_id in self._events or not self._query.admits(event):
            return
        self._events[event.event_id] = event
        heapq.heappush(self._worst, (self._sign * event.seq, event.event_id))
        if len(self._worst) > self._query.limit + 1:
            del self._events[heapq.heappop(self._worst)[1]]

    @property
    def is_full(self) -> bool:
        """Only events with a better `seq` than the worst that is kept can still change it."""
        return len(self._worst) > self._query.limit

    @property
    def latest(self) -> datetime:
        """The latest instant of what is kept."""
        return max(event.at for event in self._events.values())

    @property
    def earliest(self) -> datetime:
        return min(event.at for event in self._events.values())

    def result(self) -> Replay:
        events = sorted(self._events.values(), key=lambda event: event.seq)
        limit = self._query.limit
        if self._query.newest:
            return Replay(tuple(events[-limit:]), None)
        page = tuple(events[:limit])
        return Replay(page, page[-1].seq if len(events) > limit else None)
