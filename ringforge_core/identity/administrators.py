"""Who administers a tenant over HTTP: the holders of its admin keys."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from ringforge_core.errors import Forbidden, Unauthenticated
from ringforge_core.identity.actor import Actor
from ringforge_core.identity.ids import key_digest, now
from ringforge_core.identity.tables import api_keys, tenants
from ringforge_core.ports.store import Store


class Administrator(msgspec.Struct, frozen=True):
    """The holder of an admin key on one request; `plan` is the tenant's."""

    tenant_id: str
    key_id: str
    plan: str
    address: str | None

    @property
    def actor(self) -> Actor:
        return Actor("key", self.key_id, self.address)


async def find_administrator(store: Store, api_key: str, *, address: str | None) -> Administrator:
    """Look the key up, anew on every request: one that was revoked opens nothing from then on.

    Unlike an agent's key it needs no fleet. Raises `Unauthenticated`, and `Forbidden` for a good key of an agent.
    """
    at = now()
    query = (
        sa.select(api_keys.c.id, api_keys.c.kind, api_keys.c.tenant_id, tenants.c.plan)
        .join(tenants, tenants.c.id == api_keys.c.tenant_id)
        .where(
            api_keys.c.key_hash == key_digest(api_key),
            api_keys.c.revoked_at.is_(None),
            sa.or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > at),
            tenants.c.suspended_at.is_(None),
        )
    )
    row = await store.read(lambda connection: connection.execute(query).one_or_none())
    if row is None:
        raise Unauthenticated("The API key is unknown, revoked or expired.")
    if row.kind != "admin":
        raise Forbidden("This is an agent's key.", fix="Use a key that starts with `rf_admin_`.")
    return Administrator(row.tenant_id, row.id, row.plan, address)
