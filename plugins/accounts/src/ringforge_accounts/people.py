"""People, as a sign-in looks them up."""

from __future__ import annotations

from datetime import datetime

import msgspec
import sqlalchemy as sa

from ringforge_accounts.tables import memberships, tenants, user_identities, users
from ringforge_accounts.tokens import email_key
from ringforge_core.plugin.web import Role
from ringforge_core.ports.store import Store, Transaction


class User(msgspec.Struct, frozen=True):
    """`tenant_id` is where they belong longest: what they do before they are signed in is told there."""

    id: str
    email: str
    name: str | None
    password_hash: str | None
    has_totp: bool
    tenant_id: str | None


class Colleague(msgspec.Struct, frozen=True):
    """A person of a tenant, as the others see them."""

    user_id: str
    email: str
    name: str | None
    role: Role
    inserted_at: datetime


async def find_by_email(store: Store, email: str) -> User | None:
    return await _find(store, users.c.email_key == email_key(email))


async def find_by_id(store: Store, user_id: str) -> User | None:
    return await _find(store, users.c.id == user_id)


async def find_by_identity(store: Store, provider: str, subject: str) -> User | None:
    identity = sa.select(user_identities.c.user_id).where(
        user_identities.c.provider == provider, user_identities.c.subject == subject
    )
    return await _find(store, users.c.id == identity.scalar_subquery())


async def tenant_without_owner(store: Store) -> str | None:
    """The operator's first tenant, as long as nobody owns it."""
    of_operator = tenants.c.handle.is_not(None)
    query = sa.select(tenants.c.id).where(of_operator).order_by(tenants.c.inserted_at, tenants.c.id).limit(1)
    tenant_id = await store.read(lambda connection: connection.execute(query).scalar_one_or_none())
    if tenant_id is None:
        return None
    owner = await store.read(lambda connection: connection.execute(owner_of(tenant_id)).scalar_one_or_none())
    return str(tenant_id) if owner is None else None


def owner_of(tenant_id: str) -> sa.Select[tuple[str]]:
    owned = sa.and_(memberships.c.tenant_id == tenant_id, memberships.c.role == "owner")
    return sa.select(memberships.c.user_id).where(owned).limit(1)


def lock_owners(tx: Transaction, tenant_id: str) -> list[str]:
    """The tenant's owners; nobody else changes who they are until the change is committed."""
    owned = sa.and_(memberships.c.tenant_id == tenant_id, memberships.c.role == "owner")
    return list(tx.execute(sa.select(memberships.c.user_id).where(owned).with_for_update()).scalars())


async def list_colleagues(store: Store, tenant_id: str) -> list[Colleague]:
    query = (
        sa.select(memberships.c.user_id, users.c.email, users.c.name, memberships.c.role, memberships.c.inserted_at)
        .join(users, users.c.id == memberships.c.user_id)
        .where(memberships.c.tenant_id == tenant_id)
        .order_by(memberships.c.inserted_at, memberships.c.user_id)
        .limit(1000)
    )
    rows = await store.read(lambda connection: connection.execute(query).mappings().fetchall())
    return [Colleague(**row) for row in rows]


async def list_identities(store: Store, user_id: str) -> list[tuple[str, str | None]]:
    """The provider and the e-mail there of each that the person signs in with."""
    query = sa.select(user_identities.c.provider, user_identities.c.email).where(user_identities.c.user_id == user_id)
    rows = await store.read(lambda connection: connection.execute(query.order_by("provider")).fetchall())
    return [(row.provider, row.email) for row in rows]


async def _find(store: Store, condition: sa.ColumnElement[bool]) -> User | None:
    home = (
        sa.select(memberships.c.tenant_id)
        .where(memberships.c.user_id == users.c.id)
        .order_by(memberships.c.inserted_at)
        .limit(1)
        .scalar_subquery()
    )
    query = sa.select(
        users.c.id, users.c.email, users.c.name, users.c.password_hash, users.c.totp_secret.is_not(None), home
    ).where(condition)
    row = await store.read(lambda connection: connection.execute(query).one_or_none())
    return None if row is None else User(*row)
