"""Registration: who may, and how an e-mail is proven before there is an account.

Registering makes no account. It sends a link, behind which the password is asked for again: so nobody can register
another person's address, wait until they click, and know the password. The account comes to be with that click.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import msgspec

from ringforge_accounts import letters, one_time, tries
from ringforge_accounts.invites import look_at
from ringforge_accounts.letter_box import Letter
from ringforge_accounts.mailer import Mailer
from ringforge_accounts.newcomers import Arrivals, Newcomer, not_invited
from ringforge_accounts.passwords import Passwords
from ringforge_accounts.people import find_by_email, tenant_without_owner
from ringforge_accounts.sessions import OpenSession, Visitor
from ringforge_accounts.settings import AccountsSettings
from ringforge_accounts.sign_in import INVITES_PER_ADDRESS
from ringforge_accounts.tokens import code_digest, digest, email_key, is_email, new_token
from ringforge_core.errors import Forbidden, InvalidPayload, LimitReached, Unauthenticated
from ringforge_core.plugin import NewTenant, new_uuid, now
from ringforge_core.plugin.web import Role
from ringforge_core.ports.auth import VerifiedIdentity
from ringforge_core.ports.store import Store

REGISTRATIONS_PER_ADDRESS = 30
"""In an hour."""


class Pending(msgspec.Struct, frozen=True):
    """Somebody who registered and did not confirm yet; `invite` is the digest of their invitation, in hex."""

    email: str
    name: str
    password_hash: str
    invite: str


class Registration:
    def __init__(
        self, store: Store, settings: AccountsSettings, passwords: Passwords, arrivals: Arrivals, mailer: Mailer
    ) -> None:
        self._store = store
        self._settings = settings
        self._passwords = passwords
        self._arrivals = arrivals
        self._mailer = mailer

    async def check(self, *, name: str, email: str, password: str, invite: str, address: str | None) -> Pending:
        """What `deliver` needs. Raises for what the form has wrong, and not for an e-mail that has an account."""
        await self._count(address)
        await self.check_invite(invite, address)
        check_email(email)
        await self._passwords.check_strength(password, email, name)
        hashed = await self._passwords.hash(password)
        return Pending(email.strip(), name, hashed, code_digest(invite).hex() if invite else "")

    async def deliver(self, pending: Pending, base_url: str) -> None:
        """Send the link, or to who has an account already a hint: to both one mail with one commit, so that the time of
        the answer tells neither."""
        email, may_send = pending.email, await self.may_send(pending.email)
        if await find_by_email(self._store, email) is not None:
            hint = letters.already_registered(email, f"{base_url}/auth/login", f"{base_url}/auth/forgot")
            return await self._mailer.send(hint if may_send else None)

        def letter(token: str) -> Letter:
            mail = letters.confirm_registration(email, link(base_url, "/auth/verify", token))
            return self._mailer.seal(mail if may_send else None)

        await one_time.issue(self._store, "register", letter=letter, **msgspec.structs.asdict(pending))
        return self._mailer.wake()

    async def deliver_reset(self, email: str, base_url: str) -> None:
        """Send a link for a new password to who has an account, and to nobody else what costs the same."""
        may_send = await self.may_send(email)
        user = await find_by_email(self._store, email)
        if user is None:
            return await self._mailer.send(None)
        to = user.email

        def letter(token: str) -> Letter:
            mail = letters.reset_password(to, link(base_url, "/auth/reset", token))
            return self._mailer.seal(mail if may_send else None)

        await one_time.issue(self._store, "reset_password", user_id=user.id, letter=letter)
        return self._mailer.wake()

    async def finish(self, token: str, password: str, *, visitor: Visitor, cookie: str | None) -> str:
        """The link was opened and the password given again: make the account; returns the session's cookie."""
        ticket = await one_time.look_up(self._store, "register", token)
        bound = tries.Bound("account", token, self._settings.tries_per_account)
        await tries.count_try(self._store, bound)
        if not await self._passwords.matches(password, ticket.data["password_hash"]):
            raise Unauthenticated(
                "This is not the password that you chose.", reason="wrong_credentials", fix="Or register anew.",
                field="password",
            )  # fmt: skip
        invite = bytes.fromhex(ticket.data["invite"]) if ticket.data["invite"] else None
        return await self._welcome(
            email=ticket.data["email"], name=ticket.data["name"], password_hash=ticket.data["password_hash"], invite=invite,
            token=("register", digest(token)), method="registration", visitor=visitor, cookie=cookie,
        )  # fmt: skip

    async def with_place(self, token: str, *, name: str, password: str, visitor: Visitor, cookie: str | None) -> str:
        """Somebody of the waitlist comes with the link that they were mailed, which proves the address."""
        ticket = await one_time.look_up(self._store, "approved", token)
        email = str(ticket.data["email"])
        await self._passwords.check_strength(password, email, name)
        return await self._welcome(
            email=email, name=name, password_hash=await self._passwords.hash(password),
            token=("approved", digest(token)), method="registration", visitor=visitor, cookie=cookie,
        )  # fmt: skip

    async def first_owner(
        self, token: str, *, name: str, email: str, password: str, visitor: Visitor, cookie: str | None
    ) -> str:
        """The operator comes with the link of their terminal, and owns the hub's first tenant."""
        ticket = await one_time.look_up(self._store, "first_owner", token)
        check_email(email)
        await self._passwords.check_strength(password, email, name)
        return await self._welcome(
            email=email, name=name, password_hash=await self._passwords.hash(password),
            belongs_to=(ticket.data["tenant_id"], "owner"), token=("first_owner", digest(token)), method="first owner",
            visitor=visitor, cookie=cookie,
        )  # fmt: skip

    async def with_identity(
        self, identity: VerifiedIdentity, *, invite: bytes | None, visitor: Visitor, cookie: str | None,
        belongs_to: tuple[str, Role] | None = None,
    ) -> str:  # fmt: skip
        """Somebody new comes from a provider that knows their e-mail; from one of a tenant, they are as good as invited
        there (`belongs_to`). Raises `Forbidden` for who may not register."""
        if identity.email is None or not identity.email_verified:
            raise Forbidden(
                "The provider does not say that this e-mail is yours.", reason="unverified_email",
                fix="Verify the e-mail there, or register here with a password.",
            )  # fmt: skip
        mode = self._settings.registration
        if mode == "closed" or (invite is None and belongs_to is None and mode != "self_serve"):
            raise Forbidden("There is no account for this identity.", reason="no_account", fix="Ask for an invitation.")
        return await self._welcome(
            email=identity.email, name=identity.name, identity=(identity.provider, identity.subject), invite=invite,
            belongs_to=belongs_to, method=identity.provider, visitor=visitor, cookie=cookie,
        )  # fmt: skip

    async def owner_link(self) -> str | None:
        """The token for the operator while nobody owns the hub's first tenant, else None."""
        tenant_id = await tenant_without_owner(self._store)
        return tenant_id and await one_time.issue(self._store, "first_owner", tenant_id=tenant_id)

    async def check_invite(self, code: str, address: str | None) -> None:
        """Raise `Forbidden` for who may not register: without a code where one is needed, or with one that is not good."""
        mode = self._settings.registration
        if mode == "closed":
            raise Forbidden("Nobody can register here.", reason="registration_closed")
        if not code:
            if mode == "self_serve":
                return
            raise Forbidden("You need an invitation.", reason="invalid_invite", field="invite", fix="Ask for one.")
        bound = tries.Bound("invite", tries.network(address), INVITES_PER_ADDRESS, tries.HOUR)
        await tries.count_try(self._store, bound)
        if await look_at(self._store, code) is None:
            raise not_invited()

    async def may_send(self, email: str) -> bool:
        """Count a mail that others cause; False when this person was sent too many within the hour: then it is left, and
        nobody is told."""
        bound = tries.Bound("mail", email_key(email), self._settings.mails_per_hour, tries.HOUR)
        try:
            await tries.count_try(self._store, bound)
        except LimitReached:
            return False
        return True

    async def _count(self, address: str | None) -> None:
        bound = tries.Bound("register", tries.network(address), REGISTRATIONS_PER_ADDRESS, tries.HOUR)
        await tries.count_try(self._store, bound)

    async def _welcome(
        self, *, email: str, name: str | None, method: str, visitor: Visitor, cookie: str | None, **rest: Any
    ) -> str:
        at, user_id, token = now(), new_uuid(), new_token()
        session = OpenSession(
            session_id=new_uuid(), token=digest(token), user_id=user_id, method=method, visitor=visitor,
            instead_of=digest(cookie) if cookie else None, at=at,
            expires_at=at + timedelta(hours=self._settings.session_hours),
        )  # fmt: skip
        founds = NewTenant(
            tenant_id=new_uuid(), fleet_id=new_uuid(), name=letters.one_line(name or email.partition("@")[0]),
            founder_id=user_id, address=visitor.address, at=at,
        )  # fmt: skip
        await self._arrivals.welcome(
            Newcomer(
                user_id=user_id, email=email.strip(), name=letters.one_line(name or "") or None, founds=founds,
                session=session, at=at, **rest,
            )
        )  # fmt: skip
        return token


def check_email(email: str) -> None:
    if not is_email(email):
        raise InvalidPayload("This is no e-mail address.", reason="invalid_email", field="email", fix="name@example.org")


def link(base_url: str, path: str, token: str) -> str:
    return f"{base_url}{path}?{urlencode({'token': token})}"
