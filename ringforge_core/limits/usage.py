"""What a tenant has used; and the recount of what capabilities keep in tables of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from ringforge_core.errors import NotFound
from ringforge_core.limits.plans import RESOURCES, Quota
from ringforge_core.limits.quotas import BEGIN, COUNTERS, MEASURED, Quotas
from ringforge_core.limits.tables import quota_counters, tenants
from ringforge_core.ports.store import Store, Transaction

Count = sa.Select[tuple[str, int]]
"""Rows of tenant id and how much it uses; a tenant that is not among them uses nothing."""


class Used(msgspec.Struct, frozen=True):
    used: int
    limit: Quota


class Usage(msgspec.Struct, frozen=True):
    """What a tenant uses at this moment, by resource."""

    tenant_id: str
    plan: str
    usage: dict[str, Used]


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


async def recount(store: Store, counts: Mapping[str, Sequence[Count]]) -> None:
    """Set the counters of these resources to the sums of the counts; other hubs may go on meanwhile."""
    await store.apply(_recount, counts)


def _recount(tx: Transaction, commands: Sequence[Mapping[str, Sequence[Count]]]) -> list[None]:
    for counts in commands:
        for resource, queries in sorted(counts.items()):
            _recount_one(tx, resource, sa.union_all(*queries).subquery())
    return [None] * len(commands)


def _recount_one(tx: Transaction, resource: str, counted: Any) -> None:
    """Lock what is there before counting: what another hub adds after that is added to our result."""
    tenant_id, used = counted.c
    found = set(tx.execute(sa.select(tenant_id).distinct()).scalars())
    row = {"resource": resource, "window": "", "used": 0, "warned": 0}
    if found:
        tx.execute(BEGIN, [row | {"tenant_id": each} for each in sorted(found)])
    of_resource = (quota_counters.c.resource == resource, quota_counters.c.window == "")
    held = tx.execute(sa.select(quota_counters).where(*of_resource).order_by(quota_counters.c.tenant_id).with_for_update())
    counters = {row.tenant_id: row.used for row in held}
    summed = sa.select(tenant_id.label("tenant_id"), sa.func.sum(used).label("used")).group_by(tenant_id)
    sums = {row.tenant_id: int(row.used) for row in tx.execute(summed)}
    wrong = [
        {"of_tenant": tenant, "counted": sums.get(tenant, 0)}
        for tenant, counted in counters.items()
        if counted != sums.get(tenant, 0)
    ]
    if wrong:
        own = quota_counters.c.tenant_id == sa.bindparam("of_tenant")
        tx.execute(quota_counters.update().where(*of_resource, own).values(used=sa.bindparam("counted")), wrong)
