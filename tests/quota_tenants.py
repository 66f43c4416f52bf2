"""Tenants with small plans, and the clock by which their days are counted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import msgspec

from ringforge_core.identity import new_uuid, now
from ringforge_core.identity.tables import fleets, tenants
from ringforge_core.limits import Plan
from ringforge_core.ports.store import Charge, Store, Transaction
from ringforge_core.store import SqlStore

OpenStore = Callable[..., Awaitable[SqlStore]]
PLAN = Plan(connected_agents=3, messages_today=37, memory_entries=10, fleets=2)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Tenant(msgspec.Struct, frozen=True):
    id: str
    fleet_id: str

    def message(self, amount: int = 1) -> tuple[Charge, ...]:
        return (Charge(self.id, "messages_today", amount),)


def make_tenants(tx: Transaction, commands: Sequence[tuple[Tenant, str]]) -> list[None]:
    for tenant, plan in commands:
        times = {"inserted_at": now(), "updated_at": now()}
        tx.execute(tenants.insert(), {"id": tenant.id, "name": "acme", "plan": plan, **times})
        tx.execute(fleets.insert(), {"id": tenant.fleet_id, "tenant_id": tenant.id, "name": "default", **times})
    return [None] * len(commands)


async def new_tenant(store: Store, plan: str = "free") -> Tenant:
    tenant = Tenant(new_uuid(), new_uuid())
    await store.apply(make_tenants, (tenant, plan))
    return tenant


def set_plans(tx: Transaction, commands: Sequence[tuple[str, str]]) -> list[None]:
    for tenant_id, plan in commands:
        tx.execute(tenants.update().where(tenants.c.id == tenant_id).values(plan=plan))
    return [None] * len(commands)
