"""A tenant's API keys. The full key is returned once, when it is made; what is stored opens nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, get_args

import msgspec
import sqlalchemy as sa

from ringforge_core.errors import InvalidPayload
from ringforge_core.identity.actor import OPERATOR, Actor
from ringforge_core.identity.api_key import new_key
from ringforge_core.identity.claim import ShortText
from ringforge_core.identity.ids import KeyKind, now
from ringforge_core.identity.key_changes import NewKey, Revocation, Rotation, revoke_keys, rotate_keys, write_keys
from ringforge_core.identity.paging import next_cursor, page_of
from ringforge_core.identity.repeatable import apply_once
from ringforge_core.identity.tables import api_keys
from ringforge_core.plugin.records import CreatedKey, KeyInfo, Page, RotatedKey
from ringforge_core.ports.store import Once, Store

GRACE = timedelta(hours=24)
"""How long a key that was replaced still works, so that nobody has to change it everywhere in one moment."""
LONGEST_GRACE = timedelta(days=30)


class Keys:
    """`actor` is who makes or ends a key, for the audit log; by default the operator at the command line.

    With `once`, a repeat gets the first result: for a new key, its `secret` must be set.
    """

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
        actor: Actor = OPERATOR,
        once: Once | None = None,
    ) -> CreatedKey:
        """Make a key, for one fleet of the tenant or for its default fleet; `expires_at` is aware and in the future.

        Raises `NotFound` for a tenant or fleet that is not there or not the tenant's, and `InvalidPayload`.
        """
        _check(kind, name, expires_at)
        key = new_key(kind, fleet_id=fleet_id, name=name, expires_at=expires_at)
        return await apply_once(self._store, write_keys, NewKey(tenant_id, key, actor), CreatedKey, once=once)

    async def list(self, tenant_id: str) -> Sequence[KeyInfo]:
        """The keys that are not revoked, newest first; those of an unknown tenant are none."""
        query = select_unrevoked(tenant_id).order_by(api_keys.c.inserted_at.desc(), api_keys.c.id)
        rows = await self._store.read(lambda connection: connection.execute(query).mappings().all())
        return [KeyInfo(**row) for row in rows]

    async def page(self, tenant_id: str, *, cursor: str | None, limit: int) -> Page[KeyInfo]:
        """One page of `list`. Raises `InvalidPayload` for a strange cursor."""
        query = page_of(select_unrevoked(tenant_id), api_keys, cursor=cursor, limit=limit)
        rows = list(await self._store.read(lambda connection: connection.execute(query).mappings().all()))
        return Page([KeyInfo(**row) for row in rows[:limit]], next_cursor(rows, limit))

    async def rotate(
        self,
        tenant_id: str,
        key_id: str,
        *,
        grace: timedelta = GRACE,
        actor: Actor = OPERATOR,
        once: Once | None = None,
    ) -> RotatedKey:
        """Make a key of the same kind, fleet and name, without an expiry; the old one works for `grace` (up to 30 days)
        longer, unless it expires before.

        Raises `NotFound` for a key that is not there, not the tenant's, revoked or expired, and `InvalidPayload`.
        """
        if not timedelta() <= grace <= LONGEST_GRACE:
            raise InvalidPayload(
                "The grace period is out of range.", field="grace_hours", fix="Give 0 to 720 hours; the default is 24."
            )
        at = now()
        rotation = Rotation(tenant_id, key_id, actor, at=at, until=at + grace)
        return await apply_once(self._store, rotate_keys, rotation, RotatedKey, once=once)

    async def revoke(self, tenant_id: str, key_id: str, *, actor: Actor = OPERATOR, once: Once | None = None) -> None:
        """End a key; its connections follow within seconds. A second time changes nothing.

        Raises `NotFound` for a key that is not there or not the tenant's.
        """
        await self._store.apply(revoke_keys, Revocation(tenant_id, key_id, actor, now()), once=once)


def _check(kind: str, name: str | None, expires_at: datetime | None) -> None:
    if kind not in get_args(KeyKind):
        raise InvalidPayload(f"There is no kind of key {kind!r}.", fix="Use live, test or admin.", field="kind")
    try:
        msgspec.convert(name, ShortText | None)
    except msgspec.ValidationError as error:
        raise InvalidPayload(
            f"The name is not valid: {error}.", fix="Use at most 100 characters, none of them a control.", field="name"
        ) from None
    if expires_at is not None and (expires_at.tzinfo is None or expires_at <= now()):
        raise InvalidPayload(
            "A key must expire at an instant in the future.",
            fix="Give an instant with its time zone, such as 2030-01-31T12:00:00Z.",
            field="expires_at",
        )


def select_unrevoked(tenant_id: str) -> sa.Select[Any]:
    """The tenant's keys that are not revoked, each row with the fields of a `KeyInfo`."""
    return sa.select(
        api_keys.c.id,
        api_keys.c.key_prefix.label("prefix"),
        api_keys.c.kind,
        api_keys.c.fleet_id,
        api_keys.c.name,
        api_keys.c.expires_at,
        api_keys.c.inserted_at,
    ).where(api_keys.c.tenant_id == tenant_id, api_keys.c.revoked_at.is_(None))
