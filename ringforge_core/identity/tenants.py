"""A tenant as its administrators see it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from ringforge_core.errors import NotFound, RingforgeError
from ringforge_core.identity.actor import Actor
from ringforge_core.identity.ids import now
from ringforge_core.identity.repeatable import apply_once
from ringforge_core.identity.tables import tenants
from ringforge_core.ports.store import Once, Store, Transaction


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    plan: str
    inserted_at: datetime
    updated_at: datetime


class Renaming(msgspec.Struct, frozen=True):
    tenant_id: str
    name: str
    actor: Actor
    at: datetime


async def get_tenant(store: Store, tenant_id: str) -> Tenant:
    """Raises `NotFound`."""
    row = await store.read(lambda connection: connection.execute(_select(tenant_id)).mappings().one_or_none())
    if row is None:
        raise _no_such_tenant()
    return Tenant(**row)


async def rename_tenant(store: Store, tenant_id: str, *, name: str, actor: Actor, once: Once | None = None) -> Tenant:
    """Raises `NotFound`."""
    return await apply_once(store, _rename_all, Renaming(tenant_id, name, actor, now()), Tenant, once=once)


def _rename_all(transaction: Transaction, commands: Sequence[Renaming]) -> list[Tenant | RingforgeError]:
    return [_rename(transaction, command) for command in commands]


def _rename(transaction: Transaction, command: Renaming) -> Tenant | RingforgeError:
    before = transaction.execute(_select(command.tenant_id)).mappings().one_or_none()
    if before is None:
        return _no_such_tenant()
    changed = {"name": command.name, "updated_at": command.at}
    transaction.execute(tenants.update().where(tenants.c.id == command.tenant_id).values(changed))
    target = ("tenant", command.tenant_id)
    transaction.audit(
        command.actor.did(
            "tenant.updated", command.tenant_id, target=target, old_name=before["name"], new_name=command.name
        )
    )
    return Tenant(**{**before, **changed})


def _select(tenant_id: str) -> sa.Select[tuple[str, str, str, datetime, datetime]]:
    columns = (tenants.c.id, tenants.c.name, tenants.c.plan, tenants.c.inserted_at, tenants.c.updated_at)
    return sa.select(*columns).where(tenants.c.id == tenant_id)


def _no_such_tenant() -> NotFound:
    return NotFound("There is no such tenant.")
