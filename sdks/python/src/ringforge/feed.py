"""Hands the hub's pushes to all who listen, and knows from where the next connection must resume."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import msgspec

from ringforge.errors import RingforgeError
from ringforge.log import Gap, Position, RawPush
from ringforge.stream import Stream

logger = logging.getLogger("ringforge")


class Feed:
    """The agent's own place in the log, and the streams that have theirs."""

    def __init__(self) -> None:
        self.position: Position | None = None
        """The last log event that came in; before that the log's end at the first join."""
        self.catch_up_wanted = asyncio.Event()
        self.watchers: list[Callable[[RawPush], None]] = []
        """Called with each push once, as it comes in."""
        self.gap_watchers: list[Callable[[Gap], object]] = []
        self.end_watchers: list[Callable[[RingforgeError | None], None]] = []
        self._streams: dict[Stream[Any], None] = {}
        self._asked_for: set[Stream[Any]] = set()
        self.ended = False
        self.error: RingforgeError | None = None
        """Why it ended, when not by `close`."""

    def add(self, stream: Stream[Any]) -> None:
        self._streams[stream] = None
        if self.ended:
            stream.end(self.error)

    def remove(self, stream: Stream[Any]) -> None:
        self._streams.pop(stream, None)

    def catch_up(self) -> None:
        """A stream has read all it had and misses the rest: connect again and resume from its place."""
        self.catch_up_wanted.set()

    def resume_from(self) -> Position | None:
        """What to tell the hub at the next join: the earliest place that a stream waits for, else the last event.

        A stream that lags and whose reader is still busy is left for a later time.
        """
        self.catch_up_wanted.clear()
        self._asked_for = {stream for stream in self._streams if not stream.lagging or stream.drained}
        places = [stream.position for stream in self._asked_for if stream.position is not None]
        if self.position is not None:
            epoch = self.position.epoch
            places = [self.position, *(place for place in places if place.epoch == epoch)]
        return min(places, key=lambda place: place.seq, default=None)

    def joined(self, head: Position, asked: Position | None, lost_until: Position | None) -> None:
        """The hub accepted the join: `head` is the log's end; up to `lost_until` it cannot send what was asked for."""
        start = lost_until or asked or head
        for stream in self._streams:
            if stream.position is None:
                stream.position = head
            elif not stream.lagging or stream in self._asked_for:
                stream.resumed(start)
        if self.position is None:
            self.position = head
        elif not self.position.reaches(start):
            self.position = start
        if lost_until is not None and asked is not None and not asked.reaches(lost_until):
            self._tell(Gap(asked, lost_until))

    def moved(self, head: Position) -> None:
        """The agent is in another fleet now, which has a log of its own: `head` is its end."""
        self.position = head
        for stream in self._streams:
            stream.restart(head)

    def accept(self, push: RawPush) -> None:
        """A push came in; log events come in the order of their `seq`."""
        if push.position is None or self.position is None or not self.position.reaches(push.position):
            self.position = push.position or self.position
            self._watch(push)
        for stream in self._streams:
            stream.offer(push)

    def end(self, error: RingforgeError | None) -> None:
        """End all streams, and those that are opened later."""
        self.ended, self.error = True, error
        for stream in list(self._streams):
            stream.end(error)
        for end in self.end_watchers:
            end(error)

    def _watch(self, push: RawPush) -> None:
        for watch in self.watchers:
            try:
                watch(push)
            except msgspec.DecodeError as error:
                logger.error("Left out a push %s of an unknown shape: %s", push.name, error)

    def _tell(self, gap: Gap) -> None:
        logger.warning("The hub no longer has the events after %s up to %s", gap.after, gap.until)
        for tell in self.gap_watchers:
            try:
                tell(gap)
            except Exception:
                logger.exception("The gap callback %r failed", tell)
