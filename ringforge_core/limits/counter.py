"""One quota of one tenant, as one transaction sees it."""

from __future__ import annotations

from datetime import date, timedelta

from ringforge_core.errors import LimitReached

THRESHOLDS = ((80, 1), (95, 2))
"""Percentages that a tenant is told of, with their bits in `told`."""
REFUSED = 4


class Counter:
    """`used` begins with what was loaded. Without a limit nothing is loaded: then it is what this transaction adds.

    `told` is what the tenant was told of already. It is forgotten when less than half is used, so that a quota that was
    freed, or raised by another plan, is warned of again.
    """

    __slots__ = (
        "_alarm", "_crossed", "_loaded", "_told", "first_refusal", "freed", "limit", "resource", "tenant_id", "told",
        "used", "window",
    )  # fmt: skip

    def __init__(
        self, tenant_id: str, resource: str, *, window: str, limit: int | None, used: int = 0, told: int = 0
    ) -> None:
        self.tenant_id = tenant_id
        self.resource = resource
        self.window = window
        self.limit = limit
        self.used = self._loaded = used
        self._told = told
        self.told = 0 if limit is None or used * 2 < limit else told
        self.first_refusal = self.freed = False
        self._crossed: list[tuple[int, int]] = []
        self._alarm = self._next_alarm()

    @property
    def resets_at(self) -> str | None:
        """When a daily window ends: the next midnight, UTC."""
        if not self.window:
            return None
        return f"{date.fromisoformat(self.window) + timedelta(days=1)}T00:00:00.000000Z"

    @property
    def added(self) -> int:
        return self.used - self._loaded

    @property
    def changed(self) -> bool:
        return self.used != self._loaded or self.told != self._told

    def use(self, amount: int) -> LimitReached | None:
        """Use up `amount`, all or nothing; a negative amount gives back."""
        if self.limit is not None and amount > 0 and self.used + amount > self.limit:
            return self._refuse(self.limit)
        self.used += amount
        self.freed = self.freed or amount < 0
        if self._alarm is not None and self.used >= self._alarm:
            self._cross()
        return None

    def news(self) -> list[int]:
        """How much was used when each threshold was crossed for the first time; what was given back since is no news."""
        kept = [(bit, used) for bit, used in self._crossed if used <= self.used]
        for bit, _ in self._crossed[len(kept) :]:
            self.told &= ~bit
        return [used for _, used in kept]

    def _refuse(self, limit: int) -> LimitReached:
        if not self.told & REFUSED:
            self.told |= REFUSED
            self.first_refusal = True
        extras = {"resets_at": self.resets_at} if self.window else {}
        return LimitReached(
            f"The plan's {self.resource} are used up: {self.used} of {limit}.", reason="quota_exceeded",
            fix="Wait until resets_at, or take a larger plan." if extras else "Delete some, or take a larger plan.",
            resource=self.resource, limit=limit, used=self.used, **extras,
        )  # fmt: skip

    def _cross(self) -> None:
        for percent, bit in THRESHOLDS:
            if not self.told & bit and self.used >= self._threshold(percent):
                self.told |= bit
                self._crossed.append((bit, self.used))
        self._alarm = self._next_alarm()

    def _next_alarm(self) -> int | None:
        if self.limit is None:
            return None
        return min((self._threshold(percent) for percent, bit in THRESHOLDS if not self.told & bit), default=None)

    def _threshold(self, percent: int) -> int:
        return -(-(self.limit or 0) * percent // 100)
