"""How long to wait before the next attempt to connect."""

from __future__ import annotations

import random
from collections.abc import Callable

FIRST = 0.25
LONGEST = 10.0


class Backoff:
    """Doubles the bound from a quarter of a second to ten, and draws from below it: a fleet does not return as one."""

    def __init__(self, draw: Callable[[], float] = random.random) -> None:
        self._draw = draw
        self._bound = FIRST

    def next(self) -> float:
        """Seconds to wait: between half the bound and the bound."""
        bound = self._bound
        self._bound = min(LONGEST, bound * 2)
        return bound * (1 + self._draw()) / 2

    def reset(self) -> None:
        self._bound = FIRST
