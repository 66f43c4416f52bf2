"""Somebody joins: the person, where they belong and their first session are committed together, or not at all.

What lets them in (a link, an invitation) is used up in the same change, and only when all else is in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from ringforge_accounts import one_time
from ringforge_accounts.audit import deed
from ringforge_accounts.invites import Invite, find_usable, use
from ringforge_accounts.people import owner_of
from ringforge_accounts.sessions import OpenSession, open_session
from ringforge_accounts.tables import memberships, user_identities, users
from ringforge_accounts.tokens import email_key
from ringforge_core.errors import Conflict, Forbidden, RingforgeError
from ringforge_core.plugin import FoundTenant, NewTenant
from ringforge_core.plugin.web import Role
from ringforge_core.ports.store import Store, Transaction


class Newcomer(msgspec.Struct, frozen=True, kw_only=True):
    """`token` is the link's digest and what it was for; `identity` is `(provider, subject)`.

    Where they belong: to what the invitation says, else to `belongs_to`, else to a tenant of their own, `founds`.
    """

    user_id: str
    email: str
    name: str | None
    password_hash: str | None = None
    identity: tuple[str, str] | None = None
    token: tuple[one_time.Purpose, bytes] | None = None
    invite: bytes | None = None
    belongs_to: tuple[str, Role] | None = None
    founds: NewTenant | None = None
    session: OpenSession
    at: datetime


class Arrivals:
    """The change itself, which makes tenants with core's help."""

    def __init__(self, store: Store, found_tenant: FoundTenant) -> None:
        self._store = store
        self._found_tenant = found_tenant

    async def welcome(self, newcomer: Newcomer) -> None:
        """Raises `Conflict` for an e-mail that has an account, `Unauthenticated` or `Forbidden` for what lets nobody in."""
        await self._store.apply(self._welcome_all, newcomer)

    def _welcome_all(self, tx: Transaction, commands: Sequence[Newcomer]) -> list[RingforgeError | None]:
        return [self._welcome(tx, command) for command in commands]

    def _welcome(self, tx: Transaction, command: Newcomer) -> RingforgeError | None:
        refusal = _is_in_the_way(tx, command)
        if refusal is not None:
            return refusal
        invite = find_usable(tx, command.invite, command.email, command.at) if command.invite is not None else None
        if command.invite is not None and invite is None:
            return not_invited()
        if command.token is not None and one_time.take(tx, *command.token, command.at) is None:
            return one_time.used_up()
        _add(tx, command)
        tenant_id, role = self._place(tx, command, invite)
        add_membership(tx, tenant_id, command.user_id, role, command.at)
        address = command.session.visitor.address
        tx.audit(deed(command.user_id, "user.registered", tenant_id, address=address, role=role))
        return open_session(tx, command.session)

    def _place(self, tx: Transaction, command: Newcomer, invite: Invite | None) -> tuple[str, Role]:
        if invite is not None:
            use(tx, invite, command.user_id, command.session.visitor.address)
            if invite.role is not None:
                return invite.tenant_id, invite.role
        if command.belongs_to is not None:
            return command.belongs_to
        if command.founds is None:
            raise Forbidden("This invitation does not say where to.")
        self._found_tenant(tx, command.founds)
        return command.founds.tenant_id, "owner"


def add_membership(tx: Transaction, tenant_id: str, user_id: str, role: Role, at: datetime) -> None:
    tx.execute(memberships.insert(), {"tenant_id": tenant_id, "user_id": user_id, "role": role, "inserted_at": at})


def not_invited() -> Forbidden:
    """One answer for a code that is wrong, used up, too old or somebody else's."""
    return Forbidden(
        "This invitation is not valid.",
        reason="invalid_invite",
        fix="Check its code, or ask for a new one.",
        field="invite",
    )


def _is_in_the_way(tx: Transaction, command: Newcomer) -> RingforgeError | None:
    is_first_owner = command.token is not None and command.token[0] == "first_owner"
    if is_first_owner and command.belongs_to and tx.execute(owner_of(command.belongs_to[0])).first() is not None:
        return one_time.used_up()
    same_email = sa.select(users.c.id).where(users.c.email_key == email_key(command.email))
    if tx.execute(same_email).first() is not None:
        return Conflict("There is an account with this e-mail.", reason="has_account", fix="Sign in.", field="email")
    return None


def _add(tx: Transaction, command: Newcomer) -> None:
    row = {
        "id": command.user_id, "email": command.email, "email_key": email_key(command.email), "name": command.name,
        "password_hash": command.password_hash, "inserted_at": command.at, "updated_at": command.at,
    }  # fmt: skip
    tx.execute(users.insert(), row)
    if command.identity is not None:
        add_identity(tx, command.identity, command.user_id, command.email, command.at)


def add_identity(tx: Transaction, identity: tuple[str, str], user_id: str, email: str | None, at: datetime) -> None:
    provider, subject = identity
    row = {"provider": provider, "subject": subject, "user_id": user_id, "email": email, "inserted_at": at}
    tx.execute(user_identities.insert(), row)
