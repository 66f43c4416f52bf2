"""Every few seconds: take out what expired, and look for claims whose node died."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ringforge_core.identity.ids import now
from ringforge_core.mesh.inbox.claim import find_lapsed
from ringforge_core.mesh.inbox.put import Address
from ringforge_core.mesh.inbox.settle import SLICE, expire
from ringforge_core.plugin.periodic import Periodic
from ringforge_core.ports.store import Store

LAPSED_AT_ONCE = 1000


class Sweeper(Periodic):
    def __init__(self, store: Store, wake: Callable[[Sequence[Address]], None], *, seconds: float) -> None:
        self._store = store
        self._wake = wake
        super().__init__("inbox-sweeper", self._sweep, seconds)

    async def _sweep(self) -> None:
        at = now()
        while await self._store.apply(expire, at) == SLICE:
            pass
        self._wake(await self._store.read(lambda connection: find_lapsed(connection, at, LAPSED_AT_ONCE)))
