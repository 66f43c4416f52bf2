"""Looks after groups now and then; see `upkeep` for what it does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from ringforge_core.identity.ids import now
from ringforge_core.mesh.groups.settings import GroupsSettings
from ringforge_core.mesh.groups.upkeep import (
    SLICE,
    Candidate,
    adopt_orphans,
    dissolve_idle,
    find_forgettable,
    find_idle_pods,
    find_orphans,
    forget_groups,
)
from ringforge_core.plugin.periodic import Periodic
from ringforge_core.ports.store import Store, Transaction

Find = Callable[[sa.Connection, datetime, datetime], list[Candidate]]
Deal = Callable[[Transaction, Sequence[Candidate]], list[None]]


class GroupSweeper(Periodic):
    """Started and stopped by the capability."""

    def __init__(self, store: Store, settings: GroupsSettings) -> None:
        self._store = store
        self._settings = settings
        super().__init__("groups-sweeper", self._sweep, settings.sweep_seconds)

    async def _sweep(self) -> None:
        await self._deal(find_idle_pods, dissolve_idle, age=self._settings.idle_pod_seconds)
        await self._deal(find_orphans, adopt_orphans)
        await self._deal(find_forgettable, forget_groups, age=self._settings.keep_dissolved_seconds)

    async def _deal(self, find: Find, deal: Deal, *, age: float = 0.0) -> None:
        at = now()
        before = at - timedelta(seconds=age)
        while found := await self._store.read(lambda connection: find(connection, before, at)):
            await asyncio.gather(*(self._store.apply(deal, candidate) for candidate in found))
            if len(found) < SLICE:
                return
