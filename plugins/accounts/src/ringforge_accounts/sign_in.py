"""Signing in with e-mail and password, and on to the second factor.

Whoever asks learns nothing about who has an account: an unknown e-mail gets the same answer after the same work, and is
counted in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import structlog

from ringforge_accounts import one_time, tries
from ringforge_accounts.audit import deed
from ringforge_accounts.passwords import Passwords
from ringforge_accounts.people import User, find_by_email, find_by_id
from ringforge_accounts.second_factor import SecondFactor
from ringforge_accounts.sessions import Sessions, Visitor
from ringforge_accounts.settings import AccountsSettings
from ringforge_accounts.tokens import digest, email_key
from ringforge_core.errors import RingforgeError, Unauthenticated
from ringforge_core.plugin import now
from ringforge_core.ports.store import AuditEntry, Store, Transaction

INVITES_PER_ADDRESS = 20
"""Codes tried in an hour: they have 80 random bits, this is only for the noise."""

KEYS_PER_ADDRESS = 5
"""Admin keys tried in a minute."""

CHALLENGES_PER_TRY = 10

log = structlog.get_logger(__name__)


class Entered(msgspec.Struct, frozen=True):
    """What the browser gets: the cookie of a session, or a ticket for the page of the second factor."""

    cookie: str | None = None
    ticket: str | None = None


class SignIn:
    def __init__(
        self,
        store: Store,
        settings: AccountsSettings,
        passwords: Passwords,
        second_factor: SecondFactor,
        sessions: Sessions,
    ) -> None:
        self._store = store
        self._settings = settings
        self._passwords = passwords
        self._second_factor = second_factor
        self._sessions = sessions

    async def with_password(self, email: str, password: str, *, visitor: Visitor, cookie: str | None) -> Entered:
        """Raises `Unauthenticated`, and `LimitReached` when too much was tried."""
        await self.count_try(email_key(email), visitor.address)
        user = await find_by_email(self._store, email)
        good = await self._passwords.matches(password, user.password_hash if user else None)
        if user is None or not good:
            await self.tell_failure(user, "password", visitor)
            raise Unauthenticated(
                "E-mail or password is not right.", reason="wrong_credentials", fix="Check both, or set a new password."
            )
        await tries.forgive(self._store, "account", email_key(email))
        return await self.enter(user, method="password", visitor=visitor, cookie=cookie)

    async def enter(
        self, user: User, *, method: str, visitor: Visitor, cookie: str | None, tenant_id: str | None = None
    ) -> Entered:
        """The first factor was good: a session, or on to the second one. Raises `Forbidden` for who belongs nowhere."""
        if user.has_totp:
            ticket = await one_time.issue(self._store, "second_factor", user_id=user.id, method=method, tenant_id=tenant_id)
            return Entered(ticket=ticket)
        cookie = await self._sessions.open(user.id, method=method, visitor=visitor, cookie=cookie, tenant_id=tenant_id)
        return Entered(cookie)

    async def with_code(self, ticket: str, code: str, *, visitor: Visitor, cookie: str | None) -> str:
        """The second factor; returns the session's cookie. A ticket that led in leads in no second time."""
        passed = await one_time.look_up(self._store, "second_factor", ticket)
        user = await find_by_id(self._store, passed.user_id or "")
        if user is None:
            raise one_time.used_up()
        await self.count_code(user.id, visitor.address)
        try:
            await self._second_factor.check(user.id, code)
        except Unauthenticated:
            await self.tell_failure(user, "second factor", visitor)
            raise
        await self._store.apply(_use_ticket, digest(ticket))
        await tries.forgive(self._store, "code", user.id)
        return await self._sessions.open(
            user.id, method=f"{passed.data['method']}+totp", visitor=visitor, cookie=cookie,
            tenant_id=passed.data.get("tenant_id"),
        )  # fmt: skip

    async def count_try(self, subject: str, address: str | None) -> None:
        """Before a password or a link is looked at."""
        await tries.count_try(
            self._store,
            tries.Bound("address", tries.network(address), self._settings.tries_per_address),
            tries.Bound("account", subject, self._settings.tries_per_account),
        )

    async def count_code(self, user_id: str, address: str | None) -> None:
        """Before a code of a second factor is looked at."""
        await tries.count_try(
            self._store,
            tries.Bound("address", tries.network(address), self._settings.tries_per_address),
            tries.Bound("code", user_id, self._settings.tries_per_account),
        )

    async def count_challenge(self, address: str | None) -> None:
        """Before a challenge is made, which each look at the page of the sign-in may take."""
        most = self._settings.tries_per_address * CHALLENGES_PER_TRY
        await tries.count_try(self._store, tries.Bound("challenge", tries.network(address), most))

    async def count_mail(self, address: str | None) -> None:
        """Before something is begun that ends in a mail, or at a provider."""
        await tries.count_try(self._store, tries.Bound("begin", tries.network(address), self._settings.tries_per_address))

    async def count_key(self, address: str | None) -> None:
        """Before an admin key is looked at."""
        bound = tries.Bound("key", tries.network(address), KEYS_PER_ADDRESS, tries.MINUTE)
        await tries.count_try(self._store, bound)

    async def count_invite(self, address: str | None) -> None:
        """Before the code of an invitation is looked at."""
        bound = tries.Bound("invite", tries.network(address), INVITES_PER_ADDRESS, tries.HOUR)
        await tries.count_try(self._store, bound)

    async def tell_failure(self, user: User | None, what: str, visitor: Visitor, **more: Any) -> None:
        """To the audit log of the person's tenant; for nobody the same commit, empty, so that time tells nothing."""
        log.warning("auth.failed", address=visitor.address, method=what)
        entry = None
        if user is not None and user.tenant_id is not None:
            entry = deed(user.id, "tenant.login_failed", user.tenant_id, address=visitor.address, method=what, **more)
        await self._store.apply(_enter_failures, entry)


def _enter_failures(tx: Transaction, commands: Sequence[AuditEntry | None]) -> list[None]:
    for entry in commands:
        if entry is not None:
            tx.audit(entry)
    return [None] * len(commands)


def _use_ticket(tx: Transaction, commands: Sequence[bytes]) -> list[RingforgeError | None]:
    return [None if one_time.take(tx, "second_factor", ticket, now()) else one_time.used_up() for ticket in commands]
