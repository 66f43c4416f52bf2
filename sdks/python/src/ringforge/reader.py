"""What all streams of the SDK have in common: a reader that waits, an end, an error."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from typing import Generic, Self, TypeVar

from ringforge.errors import RingforgeError

T = TypeVar("T")


class NothingWaits(Exception):
    """There is nothing to read at the moment."""


class Reader(AsyncIterator[T], ABC, Generic[T]):
    """Iterate over it; close it with `close()` or `with`. One reader at a time.

    A read that is cancelled takes nothing. It ends when the agent is closed, and raises when the hub ended the
    connection for good; what waits is given before either.
    """

    def __init__(self) -> None:
        self._wake = asyncio.Event()
        self._ended = False
        self._error: RingforgeError | None = None

    @property
    def ended(self) -> bool:
        """True when nothing more will come in; what waits can still be read."""
        return self._ended

    def close(self) -> None:
        """Stop: what waits is forgotten, a waiting reader is woken. A second call does nothing."""
        self._forget()
        self.end(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __anext__(self) -> T:
        while True:
            try:
                return self._take()
            except NothingWaits:
                if self._ended:
                    raise self._error or StopAsyncIteration from None
            self._wake.clear()
            await self._wake.wait()

    def end(self, error: RingforgeError | None) -> None:
        """Nothing follows: the reader gets what waits, then the end or the error."""
        if not self._ended:
            self._ended, self._error = True, error
            self._leave()
            self._wake.set()

    @abstractmethod
    def _take(self) -> T:
        """What comes next; raises `NothingWaits`."""

    @abstractmethod
    def _forget(self) -> None:
        """Drop what waits."""

    @abstractmethod
    def _leave(self) -> None:
        """Take the stream from where it is fed."""
