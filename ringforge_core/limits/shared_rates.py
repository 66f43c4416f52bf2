"""Several hubs count together: each tells the others what it counted, twice a second.

So who spreads over the hubs gets what one hub allows, and at most what the hubs count within half a second more.
"""

from __future__ import annotations

from collections import Counter

import msgspec

from ringforge_core.limits.rates import RateLimiter
from ringforge_core.plugin.periodic import Periodic
from ringforge_core.ports.store import Store

TELL_SECONDS = 0.5
SIGNAL = "rates"


class Counted(msgspec.Struct, array_like=True):
    rate: str
    key: tuple[str, ...]
    amount: int


class SharedRates(Periodic):
    """On a store of a single hub it does nothing."""

    def __init__(self, store: Store, limiter: RateLimiter) -> None:
        self._store = store
        self._limiter = limiter
        self._decoder = msgspec.json.Decoder(list[Counted])
        if store.shared:
            limiter.news = Counter()
            store.on_signal(SIGNAL, self._counted_elsewhere)
        super().__init__("shared-rates", self._tell, TELL_SECONDS)

    async def start(self) -> None:
        if self._store.shared:
            await super().start()

    async def _tell(self) -> None:
        news, self._limiter.news = self._limiter.news, Counter()
        if news:
            counted = [Counted(rate, tuple(key), amount) for (rate, *key), amount in news.items()]
            self._store.signal(SIGNAL, msgspec.json.encode(counted))

    def _counted_elsewhere(self, body: bytes) -> None:
        for counted in self._decoder.decode(body):
            self._limiter.count_elsewhere(counted.rate, counted.key, counted.amount)
