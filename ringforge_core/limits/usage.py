"""What a tenant has used, for people."""

from __future__ import annotations

import sqlalchemy as sa

from ringforge_core.errors import NotFound
from ringforge_core.limits.plans import RESOURCES
from ringforge_core.limits.quotas import COUNTERS, MEASURED, Quotas
from ringforge_core.limits.tables import tenants
from ringforge_core.plugin.records import Usage, Used
from ringforge_core.ports.store import Store


async def read_usage(store: Store, quotas: Quotas, tenant_id: str) -> Usage:
    """Raises `NotFound` for a tenant that is not there."""
    today = quotas.today()

    def query(connection: sa.Connection) -> Usage:
        name = connection.scalar(sa.select(tenants.c.plan).where(tenants.c.id == tenant_id))
        if name is None:
            raise NotFound("There is no such tenant.")
        values = {"tenant_ids": [tenant_id], "today": today}
        used = {row.resource: row.used for row in connection.execute(COUNTERS, values)}
        for resource, measure in MEASURED.items():
            used[resource] = sum(row.used for row in connection.execute(measure, {"tenant_ids": [tenant_id]}))
        plan = quotas.settings.plan(name)
        usage = {resource: Used(used.get(resource, 0), getattr(plan, resource)) for resource in RESOURCES}
        return Usage(tenant_id, name, usage)

    return await store.read(query)
