"""The first tenant of a hub: with a fleet, and a key for its people and one for its agents."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert  # its `on_conflict_do_nothing` is valid SQLite as well

from ringforge_core.identity.actor import HUB, OPERATOR, Actor
from ringforge_core.identity.api_key import key_row, new_key
from ringforge_core.identity.ids import new_uuid, now
from ringforge_core.identity.tables import api_keys, fleets, tenants
from ringforge_core.identity.verified_keys import DEFAULT_FLEET
from ringforge_core.plugin.records import CreatedKey
from ringforge_core.ports.store import Store, Transaction

DEFAULT_TENANT = "default"
PLAN = "unlimited"
"""Who runs the hub himself is not limited by a plan."""


class Bootstrap(msgspec.Struct, frozen=True):
    """How to get in. The keys are shown this once; `created` is False when the tenant was there already."""

    tenant_id: str
    fleet_id: str
    admin_key: str
    agent_key: str
    created: bool

    def __repr__(self) -> str:
        return f"Bootstrap(tenant_id={self.tenant_id!r}, fleet_id={self.fleet_id!r}, created={self.created})"


class TenantSetup(msgspec.Struct, frozen=True, kw_only=True):
    """The ids are for the case that the tenant or its fleet is not there yet."""

    handle: str
    tenant_id: str
    fleet_id: str
    admin_key: CreatedKey
    agent_key: CreatedKey
    actor: Actor
    at: datetime


async def bootstrap(store: Store, *, tenant: str = DEFAULT_TENANT) -> Bootstrap:
    """Make the operator's tenant of this name and its fleet, or find them; either way with a new pair of keys."""
    return await store.apply(_set_up, _setup(tenant, OPERATOR))


async def first_start(store: Store) -> Bootstrap | None:
    """Bootstrap a hub that has no tenant yet; None on every later start. Of hubs that race, one gets the keys."""
    return await store.apply(_set_up_first, _setup(DEFAULT_TENANT, HUB))


def _setup(handle: str, actor: Actor) -> TenantSetup:
    return TenantSetup(
        handle=handle,
        tenant_id=new_uuid(),
        fleet_id=new_uuid(),
        admin_key=new_key("admin", name="bootstrap"),
        agent_key=new_key("live", name="bootstrap"),
        actor=actor,
        at=now(),
    )


def _set_up(transaction: Transaction, commands: Sequence[TenantSetup]) -> list[Bootstrap]:
    return [_equip(transaction, command, _claim_tenant(transaction, command)) for command in commands]


def _set_up_first(transaction: Transaction, commands: Sequence[TenantSetup]) -> list[Bootstrap | None]:
    results: list[Bootstrap | None] = []
    for command in commands:
        is_first = not transaction.execute(sa.select(tenants.c.id).limit(1)).first()
        tenant_id = _claim_tenant(transaction, command) if is_first else None
        results.append(_equip(transaction, command, tenant_id) if tenant_id == command.tenant_id else None)
    return results


def _claim_tenant(transaction: Transaction, command: TenantSetup) -> str:
    """The id of the tenant with this handle: the command's own when it made the tenant."""
    transaction.execute(
        insert(tenants).on_conflict_do_nothing(index_elements=["handle"]),
        {
            "id": command.tenant_id,
            "name": command.handle,
            "handle": command.handle,
            "plan": PLAN,
            "inserted_at": command.at,
            "updated_at": command.at,
        },
    )
    tenant_id: str = transaction.execute(sa.select(tenants.c.id).where(tenants.c.handle == command.handle)).scalar_one()
    return tenant_id


def _equip(transaction: Transaction, command: TenantSetup, tenant_id: str) -> Bootstrap:
    """Give the tenant its fleet, unless it has one, and the keys."""
    transaction.execute(
        insert(fleets).on_conflict_do_nothing(index_elements=["tenant_id", "name"]),
        {
            "id": command.fleet_id,
            "tenant_id": tenant_id,
            "name": DEFAULT_FLEET,
            "inserted_at": command.at,
            "updated_at": command.at,
        },
    )
    own_default = sa.and_(fleets.c.tenant_id == tenant_id, fleets.c.name == DEFAULT_FLEET)
    fleet_id = transaction.execute(sa.select(fleets.c.id).where(own_default)).scalar_one()
    keys = (command.admin_key, command.agent_key)
    transaction.execute(api_keys.insert(), [key_row(tenant_id, key) for key in keys])
    created = tenant_id == command.tenant_id
    if created:
        transaction.audit(
            command.actor.did("tenant.registered", tenant_id, target=("tenant", tenant_id), name=command.handle)
        )
    for key in keys:
        target = ("api_key", key.id)
        transaction.audit(command.actor.did("api_key.created", tenant_id, target=target, kind=key.kind, prefix=key.prefix))
    return Bootstrap(tenant_id, fleet_id, command.admin_key.key, command.agent_key.key, created)
