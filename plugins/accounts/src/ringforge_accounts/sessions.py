"""Sessions: kept by the server, named by a random cookie of which there is only a digest.

A sign-in always begins a new session under a new cookie, so one that was planted before leads nowhere. The cookie also
changes when a person's rights do: another tenant, a new password, a second factor on or off.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from ringforge_accounts.audit import deed
from ringforge_accounts.tables import key_sessions, memberships, tenants, user_sessions, users
from ringforge_accounts.tokens import digest, new_token
from ringforge_core.errors import Forbidden, NotFound, RingforgeError
from ringforge_core.plugin import new_uuid, now
from ringforge_core.plugin.web import Membership, SignedIn, csrf_token
from ringforge_core.ports.store import Store, Transaction

SEEN_EVERY = timedelta(minutes=5)


class Visitor(msgspec.Struct, frozen=True):
    """Where somebody comes from, for their list of sessions and the audit log."""

    address: str | None = None
    browser: str | None = None


class Session(msgspec.Struct, frozen=True):
    id: str
    method: str
    address: str | None
    browser: str | None
    inserted_at: datetime
    seen_at: datetime


class OpenSession(msgspec.Struct, frozen=True, kw_only=True):
    """`tenant_id` None: where the session that ends was, if it was theirs, else where the person belongs longest. The
    session of the cookie `instead_of` ends."""

    session_id: str
    token: bytes
    user_id: str
    tenant_id: str | None = None
    method: str
    visitor: Visitor
    instead_of: bytes | None = None
    at: datetime
    expires_at: datetime


class Rotate(msgspec.Struct, frozen=True, kw_only=True):
    """Give a session another cookie; `tenant_id` also moves it, `alone` ends all others of the person."""

    session_id: str
    user_id: str
    token: bytes
    tenant_id: str | None = None
    alone: bool = False
    address: str | None
    at: datetime


class EndSessions(msgspec.Struct, frozen=True, kw_only=True):
    """One session of a person, or all of them."""

    user_id: str
    session_id: str | None
    tenant_id: str
    address: str | None


class Sessions:
    def __init__(self, store: Store, hours: float) -> None:
        self._store = store
        self._life = timedelta(hours=hours)

    async def open(
        self, user_id: str, *, method: str, visitor: Visitor, cookie: str | None, tenant_id: str | None = None
    ) -> str:
        """Sign a person in; returns the new cookie. Raises `Forbidden` for who belongs to no tenant."""
        token, at = new_token(), now()
        await self._store.apply(
            _open_all,
            OpenSession(
                session_id=new_uuid(), token=digest(token), user_id=user_id, tenant_id=tenant_id, method=method,
                visitor=visitor, instead_of=digest(cookie) if cookie else None, at=at, expires_at=at + self._life,
            ),
        )  # fmt: skip
        return token

    async def find(self, cookie: str) -> SignedIn | None:
        at = now()
        query = _of_cookie(digest(cookie), at)
        rows = (await self._store.read(lambda connection: connection.execute(query).fetchall())) if cookie else []
        if not rows:
            return None
        if at - rows[0].seen_at > SEEN_EVERY:
            await self._store.apply(_see_all, (rows[0].id, at))
        return _signed_in(rows, cookie)

    async def rotate(
        self, person: SignedIn, *, address: str | None, tenant_id: str | None = None, alone: bool = False
    ) -> str:
        """Returns the new cookie. Raises `NotFound` for a tenant that the person does not belong to."""
        token = new_token()
        command = Rotate(
            session_id=person.session_id, user_id=person.user_id, token=digest(token), tenant_id=tenant_id, alone=alone,
            address=address, at=now(),
        )  # fmt: skip
        await self._store.apply(_rotate_all, command)
        return token

    async def end(self, person: SignedIn, session_id: str | None, *, address: str | None) -> None:
        """End one session of the person, or with None all of them. Raises `NotFound` for one that is not theirs."""
        command = EndSessions(user_id=person.user_id, session_id=session_id, tenant_id=person.tenant_id, address=address)
        await self._store.apply(_end_all, command)

    async def of(self, person: SignedIn) -> list[Session]:
        """The person's sessions, the newest first."""
        columns = [user_sessions.c[name] for name in Session.__struct_fields__]
        mine = sa.and_(user_sessions.c.user_id == person.user_id, user_sessions.c.expires_at > now())
        query = sa.select(*columns).where(mine).order_by(user_sessions.c.inserted_at.desc()).limit(100)
        rows = await self._store.read(lambda connection: connection.execute(query).mappings().fetchall())
        return [Session(**row) for row in rows]


def _of_cookie(token: bytes, at: datetime) -> sa.Select[Any]:
    return (
        sa.select(
            user_sessions.c.id, user_sessions.c.inserted_at, user_sessions.c.seen_at,
            user_sessions.c.tenant_id.label("current"), users.c.email,
            users.c.name, memberships.c.user_id, memberships.c.tenant_id, memberships.c.role,
            tenants.c.name.label("tenant_name"),
        )
        .join(users, users.c.id == user_sessions.c.user_id)
        .join(memberships, memberships.c.user_id == users.c.id)
        .join(tenants, tenants.c.id == memberships.c.tenant_id)
        .where(
            user_sessions.c.token_digest == token, user_sessions.c.expires_at > at, tenants.c.suspended_at.is_(None),
            users.c.disabled_at.is_(None),
        )
        .order_by(memberships.c.inserted_at, memberships.c.tenant_id)
    )  # fmt: skip


def _signed_in(rows: Sequence[Any], cookie: str) -> SignedIn:
    belongs = tuple(Membership(row.tenant_id, row.tenant_name, row.role) for row in rows)
    first = rows[0]
    return SignedIn(
        user_id=first.user_id, email=first.email, name=first.name, session_id=first.id,
        signed_in_at=first.inserted_at, csrf_token=csrf_token(cookie),
        current=next((place for place in belongs if place.tenant_id == first.current), belongs[0]),
        memberships=belongs,
    )  # fmt: skip


def _open_all(tx: Transaction, commands: Sequence[OpenSession]) -> list[RingforgeError | None]:
    return [open_session(tx, command) for command in commands]


def open_session(tx: Transaction, command: OpenSession) -> RingforgeError | None:
    """Part of a change that signs somebody in."""
    disabled = sa.select(users.c.disabled_at).where(users.c.id == command.user_id)
    if tx.execute(disabled).scalar_one_or_none() is not None:
        return Forbidden("This account was disabled.", reason="account_disabled", fix="Ask those who run this hub.")
    mine = sa.and_(memberships.c.user_id == command.user_id, tenants.c.suspended_at.is_(None))
    wanted = command.tenant_id or _tenant_of(tx, command) or ""
    first = (
        sa.select(memberships.c.tenant_id)
        .join(tenants, tenants.c.id == memberships.c.tenant_id)
        .where(mine)
        .order_by(memberships.c.tenant_id != wanted, memberships.c.inserted_at)
    )
    tenant_id = tx.execute(first.limit(1)).scalar_one_or_none()
    if tenant_id is None:
        return Forbidden("You belong to no tenant any more.", fix="Ask somebody there to invite you again.")
    if command.instead_of is not None:
        for table in (user_sessions, key_sessions):
            tx.execute(table.delete().where(table.c.token_digest == command.instead_of))
    row = {
        "id": command.session_id, "token_digest": command.token, "user_id": command.user_id, "tenant_id": tenant_id,
        "method": command.method, "address": command.visitor.address, "browser": command.visitor.browser,
        "inserted_at": command.at, "seen_at": command.at, "expires_at": command.expires_at,
    }  # fmt: skip
    tx.execute(user_sessions.insert(), row)
    tx.audit(deed(command.user_id, "tenant.login", tenant_id, address=command.visitor.address, method=command.method))
    return None


def _tenant_of(tx: Transaction, command: OpenSession) -> str | None:
    """Who signs in again stays in the tenant that they were in."""
    earlier = sa.and_(user_sessions.c.token_digest == command.instead_of, user_sessions.c.user_id == command.user_id)
    if command.instead_of is None:
        return None
    return tx.execute(sa.select(user_sessions.c.tenant_id).where(earlier)).scalar_one_or_none()


def _rotate_all(tx: Transaction, commands: Sequence[Rotate]) -> list[RingforgeError | None]:
    return [_rotate(tx, command) for command in commands]


def _rotate(tx: Transaction, command: Rotate) -> RingforgeError | None:
    session = sa.and_(user_sessions.c.id == command.session_id, user_sessions.c.user_id == command.user_id)
    changed: dict[str, Any] = {"token_digest": command.token}
    if command.tenant_id is not None:
        here = sa.and_(memberships.c.user_id == command.user_id, memberships.c.tenant_id == command.tenant_id)
        if tx.execute(sa.select(memberships.c.role).where(here)).first() is None:
            return NotFound("There is no such tenant.")
        changed["tenant_id"] = command.tenant_id
        tx.audit(deed(command.user_id, "tenant.entered", command.tenant_id, address=command.address))
    if not tx.execute(user_sessions.update().where(session).values(changed)).rowcount:
        return NotFound("This session has ended.")
    if command.alone:
        end_sessions(tx, command.user_id, spare=command.session_id)
    return None


def end_sessions(tx: Transaction, user_id: str, *, spare: str | None = None) -> None:
    """Part of a change after which a person signs in anew; the session `spare` stays."""
    others = user_sessions.c.user_id == user_id
    if spare is not None:
        others = sa.and_(others, user_sessions.c.id != spare)
    tx.execute(user_sessions.delete().where(others))


def _end_all(tx: Transaction, commands: Sequence[EndSessions]) -> list[RingforgeError | None]:
    return [_end(tx, command) for command in commands]


def _end(tx: Transaction, command: EndSessions) -> RingforgeError | None:
    mine = user_sessions.c.user_id == command.user_id
    chosen = mine if command.session_id is None else sa.and_(mine, user_sessions.c.id == command.session_id)
    if not tx.execute(user_sessions.delete().where(chosen)).rowcount and command.session_id is not None:
        return NotFound("There is no such session.")
    scope = "all" if command.session_id is None else "one"
    tx.audit(deed(command.user_id, "tenant.logout", command.tenant_id, address=command.address, sessions=scope))
    return None


def _see_all(tx: Transaction, commands: Sequence[tuple[str, datetime]]) -> list[None]:
    for session_id, at in commands:
        tx.execute(user_sessions.update().where(user_sessions.c.id == session_id).values(seen_at=at))
    return [None] * len(commands)
