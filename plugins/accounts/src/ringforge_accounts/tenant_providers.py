"""Providers of one tenant (single sign-on): whom they let in, and whether the tenant's plan includes one.

A newcomer whom the provider vouches for is a member from then on. Who has an account already is invited, as everybody is:
so a member whom the tenant removed stays out, whatever the provider goes on to say.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import sqlalchemy as sa
import structlog

from ringforge_accounts.people import User
from ringforge_accounts.tables import memberships, tenants
from ringforge_core.errors import Forbidden
from ringforge_core.plugin.records import Feature
from ringforge_core.plugin.web import Role
from ringforge_core.ports.auth import TenantOf, VerifiedIdentity
from ringforge_core.ports.store import Store

Includes = Callable[[str, Feature], Awaitable[bool]]

log = structlog.get_logger(__name__)


class Place(NamedTuple):
    tenant_id: str
    role: Role


class TenantProviders:
    """`includes` says what a tenant's plan includes."""

    def __init__(self, store: Store, includes: Includes) -> None:
        self._store = store
        self._includes = includes

    async def check(self, tenant: TenantOf | None) -> Place | None:
        """Where the provider's people belong; None for a provider that is nobody's. Raises `Forbidden`
        (`plan_not_allowed`, or when there is no such tenant)."""
        if tenant is None:
            return None
        named = sa.or_(tenants.c.id == tenant.tenant, tenants.c.handle == tenant.tenant)
        query = sa.select(tenants.c.id).where(named, tenants.c.suspended_at.is_(None)).order_by(tenants.c.id).limit(1)
        tenant_id = await self._store.read(lambda connection: connection.execute(query).scalar_one_or_none())
        if tenant_id is None:
            log.warning("single_sign_on.no_such_tenant", tenant=tenant.tenant)
            raise Forbidden(
                "The tenant of this identity provider is not there.", reason="no_such_tenant", fix="Ask who runs this hub."
            )
        if not await self._includes(tenant_id, "single_sign_on"):
            raise Forbidden(
                "The plan of your company does not include single sign-on.", reason="plan_not_allowed",
                fix="It is part of Scale and Enterprise. Until then, sign in in another way.",
            )  # fmt: skip
        return Place(tenant_id, tenant.role)

    async def check_identity(self, identity: VerifiedIdentity) -> Place | None:
        """The same, for somebody who comes from there. Raises `Forbidden` also for an e-mail that the provider is not
        trusted with."""
        place = await self.check(identity.tenant)
        if place is not None and not identity.email_verified:
            raise Forbidden(
                "Your company's identity provider gave no e-mail of your company.", reason="unverified_email",
                fix="Ask who runs it.",
            )  # fmt: skip
        return place

    async def check_member(self, user: User, place: Place) -> None:
        """Raises `Forbidden` for who does not belong there, or no more."""
        mine = sa.and_(memberships.c.tenant_id == place.tenant_id, memberships.c.user_id == user.id)
        query = sa.select(memberships.c.role).where(mine)
        if await self._store.read(lambda connection: connection.execute(query).first()) is None:
            raise Forbidden(
                "You do not belong to this tenant.", reason="not_a_member", fix="Ask somebody there to invite you."
            )
