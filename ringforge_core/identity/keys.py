"""A tenant's API keys. The full key is returned once, when it is made; what is stored opens nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, get_args

import msgspec
import sqlalchemy as sa

from ringforge_core.errors import InvalidPayload, NotFound, RingforgeError
from ringforge_core.identity.ids import KeyKind, key_digest, key_prefix, new_api_key, new_uuid, now
from ringforge_core.identity.lookup import select_in
from ringforge_core.identity.tables import api_keys, fleets, tenants
from ringforge_core.plugin.schema import Instant
from ringforge_core.ports.store import Store, Transaction


class KeyInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A key as people see it. `fleet_id` None: it opens the tenant's default fleet. Instants are aware."""

    id: str
    prefix: str
    kind: KeyKind
    fleet_id: str | None
    name: str | None
    expires_at: datetime | None
    inserted_at: datetime


class CreatedKey(KeyInfo, frozen=True, kw_only=True):
    """A new key with its full text in `key`, for the only time."""

    key: str

    def __repr__(self) -> str:
        return f"CreatedKey(id={self.id!r}, prefix={self.prefix!r})"


class NewKey(msgspec.Struct, frozen=True):
    tenant_id: str
    key: CreatedKey


class Revocation(msgspec.Struct, frozen=True):
    tenant_id: str
    key_id: str
    at: datetime


class Keys:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def create(
        self,
        tenant_id: str,
        *,
        kind: KeyKind,
        fleet_id: str | None = None,
        name: str | None = None,
        expires_at: datetime | None = None,
    ) -> CreatedKey:
        """Make a key, for one fleet of the tenant or for its default fleet; `expires_at` is aware and in the future.

        Raises `NotFound` for a tenant or fleet that is not there or not the tenant's, and `InvalidPayload`.
        """
        _check(kind, expires_at)
        key = new_key(kind, fleet_id=fleet_id, name=name, expires_at=expires_at)
        await self._store.apply(_write_keys, NewKey(tenant_id, key))
        return key

    async def list(self, tenant_id: str) -> Sequence[KeyInfo]:
        """The keys that are not revoked, newest first; those of an unknown tenant are none."""
        query = (
            sa.select(
                api_keys.c.id,
                api_keys.c.key_prefix.label("prefix"),
                api_keys.c.kind,
                api_keys.c.fleet_id,
                api_keys.c.name,
                api_keys.c.expires_at,
                api_keys.c.inserted_at,
            )
            .where(api_keys.c.tenant_id == tenant_id, api_keys.c.revoked_at.is_(None))
            .order_by(api_keys.c.inserted_at.desc(), api_keys.c.id)
        )
        rows = await self._store.read(lambda connection: connection.execute(query).mappings().all())
        return [KeyInfo(**row) for row in rows]

    async def revoke(self, tenant_id: str, key_id: str) -> None:
        """End a key; its connections follow within seconds. A second time changes nothing.

        Raises `NotFound` for a key that is not there or not the tenant's.
        """
        await self._store.apply(_revoke_keys, Revocation(tenant_id, key_id, now()))


def new_key(
    kind: KeyKind, *, fleet_id: str | None = None, name: str | None = None, expires_at: datetime | None = None
) -> CreatedKey:
    """A fresh key that is not stored yet."""
    key = new_api_key(kind)
    return CreatedKey(
        id=new_uuid(),
        key=key,
        prefix=key_prefix(key),
        kind=kind,
        fleet_id=fleet_id,
        name=name,
        expires_at=expires_at,
        inserted_at=now(),
    )


def key_row(tenant_id: str, key: CreatedKey) -> dict[str, Any]:
    """The key as it is stored: its digest, never its text."""
    return {
        "id": key.id,
        "tenant_id": tenant_id,
        "fleet_id": key.fleet_id,
        "kind": key.kind,
        "name": key.name,
        "key_hash": key_digest(key.key),
        "key_prefix": key.prefix,
        "expires_at": key.expires_at,
        "inserted_at": key.inserted_at,
    }


def _check(kind: str, expires_at: datetime | None) -> None:
    if kind not in get_args(KeyKind):
        raise InvalidPayload(f"There is no kind of key {kind!r}.", fix="Use live, test or admin.", field="kind")
    if expires_at is not None and (expires_at.tzinfo is None or expires_at <= now()):
        raise InvalidPayload(
            "A key must expire at an instant in the future.",
            fix="Give an instant with its time zone, such as 2030-01-31T12:00:00Z.",
            field="expires_at",
        )


def _write_keys(transaction: Transaction, commands: Sequence[NewKey]) -> list[RingforgeError | None]:
    wanted = {command.key.fleet_id for command in commands if command.key.fleet_id is not None}
    own_fleets = {
        (row["tenant_id"], row["id"])
        for row in select_in(transaction, sa.select(fleets.c.tenant_id, fleets.c.id), fleets.c.id, wanted)
    }
    known = {
        row["id"]
        for row in select_in(
            transaction, sa.select(tenants.c.id), tenants.c.id, {command.tenant_id for command in commands}
        )
    }
    rows: list[dict[str, Any]] = []
    results: list[RingforgeError | None] = []
    for command in commands:
        tenant_id, key = command.tenant_id, command.key
        if tenant_id not in known:
            results.append(NotFound("There is no such tenant."))
        elif key.fleet_id is not None and (tenant_id, key.fleet_id) not in own_fleets:
            results.append(NotFound("The tenant has no such fleet.", field="fleet_id"))
        else:
            rows.append(key_row(tenant_id, key))
            results.append(None)
    if rows:
        transaction.execute(api_keys.insert(), rows)
    return results


def _revoke_keys(transaction: Transaction, commands: Sequence[Revocation]) -> list[RingforgeError | None]:
    return [_revoke(transaction, command) for command in commands]


def _revoke(transaction: Transaction, command: Revocation) -> RingforgeError | None:
    found = transaction.execute(
        api_keys.update()
        .where(api_keys.c.tenant_id == command.tenant_id, api_keys.c.id == command.key_id)
        .values(revoked_at=sa.func.coalesce(api_keys.c.revoked_at, sa.literal(command.at, Instant)))
    )
    return None if found.rowcount else NotFound("The tenant has no such key.")
