"""How often something may happen: per agent, per key, per address.

The windows are those of the library `limits`, strategy sliding window counter: no timestamps are kept, only two counts a
key. Its own memory store looks over all keys at almost every hit (164 µs with 10,000 agents); `Windows` does so once a
minute (4 µs). The counts are of this hub; several hubs tell each other theirs, see `shared_rates`. Quotas are exact.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from functools import cache

from limits import RateLimitItem, parse_many
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from ringforge_core.errors import LimitReached

OFF = "off"
SWEEP_SECONDS = 60.0


@cache
def parse_rates(text: str) -> tuple[RateLimitItem, ...]:
    """`"600/minute; 60/second"`: all hold, the shortest is looked at first; none for `"off"`. Raises `ValueError`."""
    if text == OFF:
        return ()
    try:
        return tuple(sorted(parse_many(text), key=lambda item: item.get_expiry()))
    except ValueError:
        raise ValueError(f'expected a rate such as "60/minute" or "off", got "{text}"') from None


class Windows(MemoryStorage):
    """The library's store, which forgets what is over once in a while instead of at every hit."""

    def __init__(self) -> None:
        super().__init__()
        self._swept_at = time.time()

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        now = time.time()
        if now - self._swept_at > SWEEP_SECONDS:
            self._sweep(now)
        if self.expirations.get(key, 0) <= now:
            self.storage[key] = 0
            self.expirations[key] = now + expiry
        self.storage[key] += amount
        return self.storage[key]

    def _sweep(self, now: float) -> None:
        self._swept_at = now
        for key in [key for key, end in self.expirations.items() if end <= now]:
            del self.expirations[key], self.storage[key]


class RateLimiter:
    """All rates of one hub."""

    def __init__(self) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(Windows())
        self.news: Counter[tuple[str, ...]] | None = None
        """What was counted since the other hubs were told: the rate and its key. None when there are no others."""

    def check(self, rate: str, *key: str) -> LimitReached | None:
        """Count one for this key, or refuse it; nothing is counted for `"off"`."""
        for item in parse_rates(rate):
            if not self._limiter.hit(item, *key):
                return self._refusal(item, key)
        if self.news is not None and rate != OFF:
            self.news[rate, *key] += 1
        return None

    def count_elsewhere(self, rate: str, key: Sequence[str], amount: int) -> None:
        """What another hub counted, up to the limit: past it, it makes no difference how much."""
        for item in parse_rates(rate):
            for _ in range(amount):
                if not self._limiter.hit(item, *key):
                    break

    def peek(self, rate: str, *key: str) -> LimitReached | None:
        """As `check`, and count nothing."""
        for item in parse_rates(rate):
            if not self._limiter.test(item, *key):
                return self._refusal(item, key)
        return None

    def _refusal(self, item: RateLimitItem, key: Sequence[str]) -> LimitReached:
        free_at = self._limiter.get_window_stats(item, *key).reset_time
        return LimitReached(
            f"At most {item}.", reason="rate_limited", fix="Wait for retry_after_ms, then go on more slowly.",
            retry_after_ms=max(0, math.ceil((free_at - time.time()) * 1000)) + 1,  # a moment past, or it is still full
        )  # fmt: skip
