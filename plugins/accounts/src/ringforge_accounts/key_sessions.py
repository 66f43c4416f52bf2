"""Somebody signs in with an admin key: to the key's tenant, with the role admin, for as long as the key is good.

No person is known, so the session reaches no page about people, and the audit log names the key.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa

from ringforge_accounts.sessions import Visitor
from ringforge_accounts.tables import api_keys, key_sessions, tenants, user_sessions
from ringforge_accounts.tokens import digest, new_token
from ringforge_core.plugin import new_uuid, now
from ringforge_core.plugin.administration import AdminKey
from ringforge_core.plugin.web import Membership, SignedIn, csrf_token
from ringforge_core.ports.store import AuditEntry, Store, Transaction

METHOD = "admin key"


class OpenKeySession(msgspec.Struct, frozen=True):
    session_id: str
    token: bytes
    key: AdminKey
    address: str | None
    instead_of: bytes | None
    at: datetime
    expires_at: datetime


class EndKeySession(msgspec.Struct, frozen=True):
    session_id: str
    key_id: str
    tenant_id: str
    address: str | None


class KeySessions:
    def __init__(self, store: Store, hours: float) -> None:
        self._store = store
        self._life = timedelta(hours=hours)

    async def open(self, key: AdminKey, *, visitor: Visitor, cookie: str | None) -> str:
        """Returns the new cookie."""
        token, at = new_token(), now()
        instead_of = digest(cookie) if cookie else None
        command = OpenKeySession(new_uuid(), digest(token), key, visitor.address, instead_of, at, at + self._life)
        await self._store.apply(_open_all, command)
        return token

    async def find(self, cookie: str) -> SignedIn | None:
        """Looks the key up each time: once it is revoked or over, so is the session."""
        at = now()
        query = (
            sa.select(
                key_sessions.c.id, key_sessions.c.key_id, key_sessions.c.tenant_id, key_sessions.c.inserted_at,
                api_keys.c.name, api_keys.c.key_prefix, tenants.c.name.label("tenant_name"),
            )
            .join(api_keys, api_keys.c.id == key_sessions.c.key_id)
            .join(tenants, tenants.c.id == key_sessions.c.tenant_id)
            .where(
                key_sessions.c.token_digest == digest(cookie), key_sessions.c.expires_at > at,
                api_keys.c.kind == "admin", api_keys.c.revoked_at.is_(None),
                sa.or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > at), tenants.c.suspended_at.is_(None),
            )
        )  # fmt: skip
        row = await self._store.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            return None
        current = Membership(row.tenant_id, row.tenant_name, "admin")
        return SignedIn(
            user_id=row.key_id, key_id=row.key_id, email="", name=f"Key {row.name or row.key_prefix + '…'}",
            session_id=row.id, signed_in_at=row.inserted_at, csrf_token=csrf_token(cookie), current=current,
            memberships=(current,),
        )  # fmt: skip

    async def end(self, person: SignedIn, *, address: str | None) -> None:
        await self._store.apply(_end_all, EndKeySession(person.session_id, person.user_id, person.tenant_id, address))


def _open_all(tx: Transaction, commands: Sequence[OpenKeySession]) -> list[None]:
    for command in commands:
        for table in (user_sessions, key_sessions):
            tx.execute(table.delete().where(table.c.token_digest == command.instead_of))
        row = {
            "id": command.session_id, "token_digest": command.token, "key_id": command.key.key_id,
            "tenant_id": command.key.tenant_id, "address": command.address, "inserted_at": command.at,
            "expires_at": command.expires_at,
        }  # fmt: skip
        tx.execute(key_sessions.insert(), row)
        tx.audit(_deed("tenant.login", command.key.key_id, command.key.tenant_id, command.address, method=METHOD))
    return [None] * len(commands)


def _end_all(tx: Transaction, commands: Sequence[EndKeySession]) -> list[None]:
    for command in commands:
        tx.execute(key_sessions.delete().where(key_sessions.c.id == command.session_id))
        tx.audit(_deed("tenant.logout", command.key_id, command.tenant_id, command.address, sessions="one"))
    return [None] * len(commands)


def _deed(action: str, key_id: str, tenant_id: str, address: str | None, **metadata: str) -> AuditEntry:
    return AuditEntry(
        tenant_id=tenant_id, action=action, actor_type="key", actor_id=key_id, target_type="api_key", target_id=key_id,
        address=address, metadata=metadata,
    )  # fmt: skip
