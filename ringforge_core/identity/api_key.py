"""An API key: as it is made, as it is stored."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ringforge_core.identity.ids import key_digest, key_prefix, new_api_key, new_uuid, now
from ringforge_core.plugin.records import CreatedKey, KeyKind


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
