"""What a good key opens, in words for whoever holds it."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from ringforge_core.errors import Unauthenticated
from ringforge_core.identity.tables import fleets, tenants
from ringforge_core.identity.verified_keys import KeyHolder
from ringforge_core.ports.store import Store


class KeyDescription(msgspec.Struct, frozen=True):
    tenant_id: str
    tenant_name: str
    plan: str
    fleet_id: str
    fleet_name: str


async def describe_key(store: Store, holder: KeyHolder) -> KeyDescription:
    """Name the key's tenant and fleet; raises `Unauthenticated` when they have gone since the key was verified."""
    query = (
        sa.select(tenants.c.id, tenants.c.name, tenants.c.plan, fleets.c.id.label("fleet_id"), fleets.c.name.label("fleet"))
        .join(fleets, fleets.c.tenant_id == tenants.c.id)
        .where(tenants.c.id == holder.tenant_id, fleets.c.id == holder.fleet_id)
    )
    row = await store.read(lambda connection: connection.execute(query).one_or_none())
    if row is None:
        raise Unauthenticated("The key's fleet is no more.")
    return KeyDescription(row.id, row.name, row.plan, row.fleet_id, row.fleet)
