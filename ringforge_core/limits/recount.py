"""Sets counters right by the rows that they count, which capabilities keep in tables of their own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert  # its `on_conflict` clauses are valid SQLite as well

from ringforge_core.limits.tables import quota_counters
from ringforge_core.ports.store import Store, Transaction

Count = sa.Select[tuple[str, int]]
"""Rows of tenant id and how much it uses; a tenant that is not among them uses nothing."""
Counts = Mapping[str, Sequence[Count]]
"""By resource."""

BEGIN = insert(quota_counters).on_conflict_do_nothing()
"""Begin a counter, unless it has begun."""


async def recount(store: Store, counts: Counts) -> None:
    """Recount these resources for all tenants; other hubs may go on meanwhile."""
    await store.apply(_recount_all, counts)


def recount_in(tx: Transaction, counts: Counts, tenant_ids: Collection[str] | None = None) -> None:
    """Recount within a transaction, for these tenants or all of them."""
    for resource, queries in sorted(counts.items()):
        _recount(tx, resource, sa.union_all(*queries).subquery(), tenant_ids)


def _recount_all(tx: Transaction, commands: Sequence[Counts]) -> list[None]:
    for counts in commands:
        recount_in(tx, counts)
    return [None] * len(commands)


def _recount(tx: Transaction, resource: str, counted: Any, tenant_ids: Collection[str] | None) -> None:
    """Lock what is there before counting: what another hub adds after that is added to our result."""
    tenant_id, used = counted.c
    summed = sa.select(tenant_id.label("tenant_id"), sa.func.sum(used).label("used")).group_by(tenant_id)
    of_resource = sa.and_(quota_counters.c.resource == resource, quota_counters.c.window == "")
    if tenant_ids is not None:
        summed = summed.where(tenant_id.in_(tenant_ids))
        of_resource = sa.and_(of_resource, quota_counters.c.tenant_id.in_(tenant_ids))
    row = {"resource": resource, "window": "", "used": 0, "warned": 0}
    if found := sorted(row.tenant_id for row in tx.execute(summed)):
        tx.execute(BEGIN, [row | {"tenant_id": each} for each in found])
    held = tx.execute(sa.select(quota_counters).where(of_resource).order_by(quota_counters.c.tenant_id).with_for_update())
    counters = {row.tenant_id: row.used for row in held}
    sums = {row.tenant_id: int(row.used) for row in tx.execute(summed)}
    wrong = [
        {"of_tenant": tenant, "counted": sums.get(tenant, 0)}
        for tenant, counted in counters.items()
        if counted != sums.get(tenant, 0)
    ]
    if wrong:
        own = quota_counters.c.tenant_id == sa.bindparam("of_tenant")
        tx.execute(quota_counters.update().where(of_resource, own).values(used=sa.bindparam("counted")), wrong)
