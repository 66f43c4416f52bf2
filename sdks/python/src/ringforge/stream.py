"""A bounded stream of pushes that loses no log event.

Each stream knows its own place in the log. When its buffer is full it stops taking log events (it *lags*) and keeps its
place; when the reader has emptied the buffer, the connection is made again and the hub sends the rest from there. Other
streams drop what they have already seen. Pushes that are not logged cannot be sent again: past the bound they are
dropped and counted.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import msgspec

from ringforge.log import Gap, Position, RawPush
from ringforge.reader import NothingWaits, Reader

if TYPE_CHECKING:
    from ringforge.feed import Feed

T = TypeVar("T")

BUFFER = 4096
"""Pushes that a stream keeps for a reader that is slower than the fleet."""

logger = logging.getLogger("ringforge")


class Stream(Reader[T]):
    """It begins with what comes after it was opened, or after `since`; see `Reader` for the rest."""

    def __init__(
        self,
        feed: Feed,
        decode: Callable[[RawPush], T],
        *,
        names: frozenset[str] = frozenset(),
        wants: Callable[[RawPush], bool] = lambda push: True,
        on_gap: Callable[[Gap], T] | None = None,
        since: Position | None = None,
        buffer: int = BUFFER,
    ) -> None:
        """`names` are the events wanted, all when empty, and of these those that it `wants`.

        Without `on_gap` gaps are left out of the stream.
        """
        super().__init__()
        self.position = since or feed.position
        """How far the stream is in the log, what waits in the buffer included; None before the first connect."""
        self.dropped = 0
        """Unlogged pushes that found the buffer full."""
        self.lagging = since is not None
        """True while the stream misses log events that the hub must send again."""
        self._feed = feed
        self._decode = decode
        self._names = names
        self._wants = wants
        self._on_gap = on_gap
        self._limit = buffer
        self._waiting: deque[RawPush | Gap] = deque()
        feed.add(self)

    def _take(self) -> T:
        while self._waiting:
            item = self._waiting.popleft()
            try:
                if isinstance(item, RawPush):
                    return self._decode(item)
                if self._on_gap is not None:
                    return self._on_gap(item)
            except msgspec.DecodeError as error:
                logger.error("Left out a push %s of an unknown shape: %s", item, error)
        if self.lagging and not self._ended:
            self._feed.catch_up()
        raise NothingWaits

    def _forget(self) -> None:
        self._waiting.clear()

    def _leave(self) -> None:
        self._feed.remove(self)

    @property
    def drained(self) -> bool:
        """True when the reader has taken all that waited."""
        return not self._waiting

    def offer(self, push: RawPush) -> None:
        """Take a push in, unless it is a double, unwanted, or past the bound."""
        if push.position is not None and (
            self.lagging or (self.position is not None and self.position.reaches(push.position))
        ):
            return
        if (not self._names or push.name in self._names) and self._wants_it(push):
            if len(self._waiting) >= self._limit:
                self.lagging = self.lagging or push.position is not None
                self.dropped += push.position is None
                return
            self._put(push)
        self.position = push.position or self.position

    def resumed(self, start: Position) -> None:
        """The hub sends again from `start`: this stream's place or an earlier one, unless there is a gap."""
        self.lagging = False
        if self.position is not None and not self.position.reaches(start):
            last = self._waiting[-1] if self._waiting else None
            if isinstance(last, Gap):  # unread: the two are one, so that gaps alone cannot fill the memory
                self._waiting[-1] = Gap(last.after, start)
            else:
                self._put(Gap(self.position, start))
            self.position = start

    def restart(self, head: Position) -> None:
        """The agent is in another fleet: what comes from now on is numbered anew."""
        self.lagging, self.position = False, head

    def _wants_it(self, push: RawPush) -> bool:
        try:
            return self._wants(push)
        except msgspec.DecodeError as error:
            logger.error("Left out a push %s of an unknown shape: %s", push, error)
            return False

    def _put(self, item: RawPush | Gap) -> None:
        self._waiting.append(item)
        self._wake.set()
