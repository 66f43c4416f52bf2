"""Which API keys are good: looked up by digest, remembered for so short a time that a revoked key dies at once."""

from __future__ import annotations

import asyncio
from datetime import datetime

import msgspec
import sqlalchemy as sa
from cachetools import TTLCache

from ringforge_core.errors import Unauthenticated
from ringforge_core.identity.ids import KeyKind, key_digest, now
from ringforge_core.identity.tables import api_keys, fleets, tenants
from ringforge_core.ports.store import Store

LIFETIME = 2.0
"""Seconds for which a look-up counts: the longest that a revoked key still opens connections."""
SIZE = 10_000

DEFAULT_FLEET = "default"


class KeyHolder(msgspec.Struct, frozen=True):
    """Whose key it is. `fleet_id` is the key's own fleet (then it is `scoped`), else the tenant's default fleet."""

    key_id: str
    kind: KeyKind
    tenant_id: str
    fleet_id: str
    scoped: bool = False


class VerifiedKeys:
    """Looks keys up. Many connections that come with one key at once share one look-up."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lookups: TTLCache[str, asyncio.Task[KeyHolder]] = TTLCache(SIZE, LIFETIME)

    async def holder(self, api_key: str) -> KeyHolder:
        """The holder of a key that is neither revoked nor expired; one and the same `Unauthenticated` otherwise."""
        digest = key_digest(api_key)
        lookup = self._lookups.get(digest)
        if lookup is None:
            lookup = self._lookups[digest] = asyncio.create_task(self._look_up(digest))
            lookup.add_done_callback(lambda done: self._forget_failure(digest, done))
        return await asyncio.shield(lookup)  # one caller that hangs up must not take the others' answer along

    async def _look_up(self, digest: str) -> KeyHolder:
        holder = await self._store.read(lambda connection: _find(connection, digest, now()))
        if holder is None:
            raise Unauthenticated("The API key is unknown, revoked or expired, or its tenant has no default fleet.")
        return holder

    def _forget_failure(self, digest: str, lookup: asyncio.Task[KeyHolder]) -> None:
        failed = lookup.cancelled() or lookup.exception() is not None
        if failed and self._lookups.get(digest) is lookup:
            del self._lookups[digest]


def _find(connection: sa.Connection, digest: str, at: datetime) -> KeyHolder | None:
    fleet = sa.and_(
        fleets.c.tenant_id == api_keys.c.tenant_id,
        sa.or_(
            fleets.c.id == api_keys.c.fleet_id,
            sa.and_(api_keys.c.fleet_id.is_(None), fleets.c.name == DEFAULT_FLEET),
        ),
    )
    row = connection.execute(
        sa.select(api_keys.c.id, api_keys.c.kind, api_keys.c.tenant_id, api_keys.c.fleet_id, fleets.c.id.label("opens"))
        .join(tenants, tenants.c.id == api_keys.c.tenant_id)
        .join(fleets, fleet)
        .where(
            api_keys.c.key_hash == digest,
            api_keys.c.revoked_at.is_(None),
            sa.or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > at),
            tenants.c.suspended_at.is_(None),
        )
    ).one_or_none()
    if row is None:
        return None
    return KeyHolder(
        key_id=row.id, kind=row.kind, tenant_id=row.tenant_id, fleet_id=row.opens, scoped=row.fleet_id is not None
    )
