"""A reading of something that moves, shared by all who want to know it at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class SharedReading(Generic[Value]):
    """Who asks gets what was read after it asked; those who ask while one reads wait for the next one together."""

    def __init__(self, read: Callable[[], Awaitable[Value]]) -> None:
        self._read = read
        self._turn = asyncio.Lock()
        self._begun = 0
        self._last: tuple[int, Value] | None = None
        """The newest reading, and its number."""

    async def value(self) -> Value:
        """Raises what the reading raises."""
        begun = self._begun
        async with self._turn:
            if self._last is None or self._last[0] <= begun:
                self._begun += 1
                self._last = self._begun, await self._read()
            return self._last[1]
