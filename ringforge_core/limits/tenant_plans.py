"""Which plan each tenant is on, for what must be decided without asking the database."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from ringforge_core.limits.plans import Plan
from ringforge_core.limits.settings import LimitsSettings
from ringforge_core.limits.tables import tenants
from ringforge_core.plugin.periodic import Periodic
from ringforge_core.ports.store import Store

SLICE = 500
"""Tenants in one query."""


class TenantPlans(Periodic):
    """The tenants met so far, looked at again every `interval` seconds: a change of plan reaches open connections too."""

    def __init__(self, store: Store, settings: LimitsSettings, interval: float = 2.0) -> None:
        self._store = store
        self._settings = settings
        self._known: dict[str, Plan] = {}
        super().__init__("tenant-plans", self._look_again, interval)

    async def of(self, tenant_id: str) -> Plan:
        """The tenant's plan, read when the tenant is met for the first time."""
        if tenant_id not in self._known:
            await self._read([tenant_id])
        return self.known(tenant_id)

    def known(self, tenant_id: str) -> Plan:
        """The plan of a tenant that was met before; of another one, free."""
        return self._known.get(tenant_id, self._settings.free)

    async def _look_again(self) -> None:
        known = list(self._known)
        for start in range(0, len(known), SLICE):
            await self._read(known[start : start + SLICE])

    async def _read(self, tenant_ids: Sequence[str]) -> None:
        query = sa.select(tenants.c.id, tenants.c.plan).where(tenants.c.id.in_(tenant_ids))
        rows = await self._store.read(lambda connection: connection.execute(query).all())
        self._known.update((row.id, self._settings.plan(row.plan)) for row in rows)
