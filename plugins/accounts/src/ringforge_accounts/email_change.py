"""A person's e-mail changes: the new address proves itself with a link, and the old one is told, with a way back.

The link works only for who is signed in to the account that asked: else a stranger could have somebody confirm an address
for the stranger's own account. The way back needs no session, for it is there for who lost the account.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from ringforge_accounts import letters, one_time
from ringforge_accounts.audit import deed
from ringforge_accounts.letter_box import Letter
from ringforge_accounts.mailer import Mailer
from ringforge_accounts.people import find_by_email, find_by_id
from ringforge_accounts.registration import Registration, check_email, link
from ringforge_accounts.sessions import end_sessions
from ringforge_accounts.tables import one_time_tokens, user_identities, users
from ringforge_accounts.tokens import digest, email_key, new_token
from ringforge_core.errors import Conflict, InvalidPayload, RingforgeError
from ringforge_core.plugin import now
from ringforge_core.plugin.web import SignedIn
from ringforge_core.ports.store import Store, Transaction

ForgetAdded = Callable[[Transaction, str, datetime], None]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """`link` is used up; `undo` is the way back, with the mail to the old address."""

    user_id: str
    tenant_id: str
    session_id: str
    link: bytes
    undo: one_time.Issue
    address: str | None
    at: datetime


class Undo(msgspec.Struct, frozen=True, kw_only=True):
    """`reset` is a link for a new password, with the mail to the address that counts again; `forget_added` takes away what
    other capabilities have to sign in with since an instant."""

    user_id: str
    tenant_id: str
    link: bytes
    reset: one_time.Issue
    forget_added: ForgetAdded
    address: str | None
    at: datetime


class EmailChange:
    def __init__(self, store: Store, registration: Registration, mailer: Mailer, forget_added: ForgetAdded) -> None:
        self._forget_added = forget_added
        self._store = store
        self._registration = registration
        self._mailer = mailer

    async def ask(self, person: SignedIn, email: str, *, base_url: str) -> None:
        """Send the link. An address that has an account already is told so by mail, and nobody else is. Raises
        `InvalidPayload`."""
        check_email(email)
        wanted = email.strip()
        if email_key(wanted) == email_key(person.email):
            raise InvalidPayload("This is your e-mail already.", field="email", fix="")
        may_send = await self._registration.may_send(wanted)
        is_taken = await find_by_email(self._store, wanted) is not None

        def letter(token: str) -> Letter:
            to_confirm = letters.confirm_email(wanted, person.email, link(base_url, "/settings/email", token))
            mail = letters.email_taken(wanted) if is_taken else to_confirm
            return self._mailer.seal(mail if may_send else None)

        await one_time.issue(self._store, "change_email", user_id=person.user_id, letter=letter, email=wanted)
        self._mailer.wake()

    async def confirm(self, person: SignedIn, token: str, *, base_url: str, address: str | None) -> None:
        """All other sessions end. Raises `Unauthenticated` for a link that is not theirs, and `Conflict`."""
        ticket = await one_time.look_up(self._store, "change_email", token)
        if ticket.user_id != person.user_id:
            raise one_time.used_up()

        def letter(undo: str) -> Letter:
            mail = letters.email_changed(person.email, ticket.data["email"], link(base_url, "/auth/email-undo", undo))
            return self._mailer.seal(mail)

        at = now()
        undo = one_time.draft(
            "undo_email", new_token(), user_id=person.user_id, letter=letter, email=person.email, changed_at=at.isoformat()
        )
        change = Change(
            user_id=person.user_id, tenant_id=person.tenant_id, session_id=person.session_id, link=digest(token), undo=undo,
            address=address, at=at,
        )  # fmt: skip
        await self._store.apply(_change_all, change)
        self._mailer.wake()

    async def undo(self, token: str, *, base_url: str, address: str | None) -> str:
        """The earlier address counts again; returns it. All sessions end, and what was added since to sign in with is
        taken away, the password too: a link for a new one is sent there. Raises `Unauthenticated` and `Conflict`."""
        ticket = await one_time.look_up(self._store, "undo_email", token)
        user = await find_by_id(self._store, ticket.user_id or "")
        if user is None:
            raise one_time.used_up()
        email = str(ticket.data["email"])

        def letter(reset: str) -> Letter:
            return self._mailer.seal(letters.email_restored(email, link(base_url, "/auth/reset", reset)))

        reset = one_time.draft("reset_password", new_token(), user_id=user.id, letter=letter)
        command = Undo(
            user_id=user.id, tenant_id=user.tenant_id or "", link=digest(token), reset=reset,
            forget_added=self._forget_added, address=address, at=now(),
        )  # fmt: skip
        await self._store.apply(_undo_all, command)
        self._mailer.wake()
        return email


def _change_all(tx: Transaction, commands: Sequence[Change]) -> list[RingforgeError | None]:
    return [_change(tx, command) for command in commands]


def _change(tx: Transaction, command: Change) -> RingforgeError | None:
    ticket = one_time.take(tx, "change_email", command.link, command.at)
    if ticket is None:
        return one_time.used_up()
    refusal = _set_email(tx, command.user_id, str(ticket.data["email"]), command.at)
    if refusal is not None:
        return refusal
    one_time.forget(tx, command.user_id, "reset_password")  # was sent to the old address
    one_time.put(tx, command.undo)
    end_sessions(tx, command.user_id, spare=command.session_id)
    tx.audit(deed(command.user_id, "user.email_changed", command.tenant_id, address=command.address))
    return None


def _undo_all(tx: Transaction, commands: Sequence[Undo]) -> list[RingforgeError | None]:
    return [_undo(tx, command) for command in commands]


def _undo(tx: Transaction, command: Undo) -> RingforgeError | None:
    query = sa.select(one_time_tokens.c.expires_at).where(one_time_tokens.c.digest == command.link)
    expires_at = tx.execute(query).scalar_one_or_none()
    ticket = one_time.take(tx, "undo_email", command.link, command.at)
    if ticket is None:
        return one_time.used_up()
    refusal = _set_email(tx, command.user_id, str(ticket.data["email"]), command.at, password_hash=None)
    if refusal is not None:
        return refusal
    of_person = one_time_tokens.c.user_id == command.user_id
    later = sa.and_(of_person, one_time_tokens.c.purpose == "undo_email", one_time_tokens.c.expires_at >= expires_at)
    tx.execute(one_time_tokens.delete().where(later))  # they lead to whom the account was taken by
    one_time.forget(tx, command.user_id, "change_email", "second_factor")
    one_time.put(tx, command.reset)
    changed_at = datetime.fromisoformat(ticket.data["changed_at"])
    mine = user_identities.c.user_id == command.user_id
    tx.execute(user_identities.delete().where(mine, user_identities.c.inserted_at >= changed_at))
    command.forget_added(tx, command.user_id, changed_at)
    end_sessions(tx, command.user_id)
    if command.tenant_id:
        tx.audit(deed(command.user_id, "user.email_restored", command.tenant_id, address=command.address))
    return None


def _set_email(tx: Transaction, user_id: str, email: str, at: datetime, **more: None) -> RingforgeError | None:
    others = sa.select(users.c.id).where(users.c.email_key == email_key(email), users.c.id != user_id)
    if tx.execute(others).first() is not None:
        return Conflict("There is another account with this e-mail.", reason="has_account", fix="Sign in with it.")
    changed = {"email": email, "email_key": email_key(email), "updated_at": at, **more}
    tx.execute(users.update().where(users.c.id == user_id).values(changed))
    return None
