"""An API key: as people see it, as it is made, as it is stored."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from ringforge_core.identity.ids import KeyKind, key_digest, key_prefix, new_api_key, new_uuid, now


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


class RotatedKey(msgspec.Struct, frozen=True):
    """The new key, and until when the one that it replaces still works."""

    key: CreatedKey
    replaced_id: str
    replaced_expires_at: datetime


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
