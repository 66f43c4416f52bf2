"""What those who run the hub do with people, from the command line: the audit log of each tenant names the operator."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from ringforge_accounts import one_time
from ringforge_accounts.invites import HINT_LENGTH, Invite
from ringforge_accounts.people import lock_owners
from ringforge_accounts.sessions import end_sessions
from ringforge_accounts.tables import invites, memberships, recovery_codes, tenants, users
from ringforge_accounts.tokens import code_digest, email_key, new_code, new_token
from ringforge_core.errors import Conflict, InvalidPayload, NotFound, RingforgeError
from ringforge_core.plugin import new_uuid, now
from ringforge_core.plugin.web import Role
from ringforge_core.ports.store import AuditEntry, Store, Transaction

OPERATOR = "command line"


class Listed(msgspec.Struct, frozen=True):
    """A person in one tenant; without one `tenant` is None."""

    email: str
    name: str | None
    tenant: str | None
    role: Role | None
    second_factor: bool
    disabled: bool
    inserted_at: datetime


class SetRole(msgspec.Struct, frozen=True):
    email_key: str
    tenant_id: str
    role: Role


class Disable(msgspec.Struct, frozen=True):
    email_key: str
    disabled_at: datetime | None


class LetIn(msgspec.Struct, frozen=True):
    """A link for a new password; with `drops_second_factor` without the second factor, too."""

    email_key: str
    reset: one_time.Issue
    drops_second_factor: bool


async def list_people(store: Store, tenant_id: str | None) -> list[Listed]:
    """Of a tenant or of all, by e-mail."""
    query = (
        sa.select(
            users.c.email, users.c.name, tenants.c.name.label("tenant"), memberships.c.role,
            users.c.totp_secret.is_not(None).label("second_factor"), users.c.disabled_at.is_not(None).label("disabled"),
            users.c.inserted_at,
        )
        .outerjoin(memberships, memberships.c.user_id == users.c.id)
        .outerjoin(tenants, tenants.c.id == memberships.c.tenant_id)
        .order_by(users.c.email_key, memberships.c.tenant_id)
    )  # fmt: skip
    if tenant_id is not None:
        query = query.where(memberships.c.tenant_id == tenant_id)
    rows = await store.read(lambda connection: connection.execute(query).fetchall())
    return [  # SQLite has no booleans
        Listed(row.email, row.name, row.tenant, row.role, bool(row.second_factor), bool(row.disabled), row.inserted_at)
        for row in rows
    ]


async def invite(store: Store, tenant_id: str, *, role: Role, email: str | None, until: datetime) -> str:
    """The code of an invitation for one."""
    code = new_code()
    made = Invite(new_uuid(), tenant_id, code[:HINT_LENGTH], role, email_key(email) if email else None, 1, 0, now(), until)
    await store.apply(_invite_all, (made, code_digest(code)))
    return code


async def set_role(store: Store, email: str, tenant_id: str, role: Role) -> None:
    """Raises `NotFound`, and `Conflict` for the last owner."""
    await store.apply(_set_role_all, SetRole(email_key(email), tenant_id, role))


async def disable(store: Store, email: str, *, disabled: bool = True) -> None:
    """Keep somebody out, at once, or let them in again. Raises `NotFound`."""
    await store.apply(_disable_all, Disable(email_key(email), now() if disabled else None))


async def let_in(store: Store, email: str, *, drops_second_factor: bool) -> str:
    """The token of a link for a new password. Raises `NotFound`."""
    query = sa.select(users.c.id).where(users.c.email_key == email_key(email))
    user_id = await store.read(lambda connection: connection.execute(query).scalar_one_or_none())
    if user_id is None:
        raise _nobody()
    token = new_token()
    reset = one_time.draft("reset_password", token, user_id=user_id)
    await store.apply(_let_in_all, LetIn(email_key(email), reset, drops_second_factor))
    return token


def did(action: str, tenant_id: str, target: tuple[str, str], **metadata: Any) -> AuditEntry:
    return AuditEntry(
        tenant_id=tenant_id, action=action, actor_type="operator", actor_id=OPERATOR, target_type=target[0],
        target_id=target[1], metadata=metadata,
    )  # fmt: skip


def _invite_all(tx: Transaction, commands: Sequence[tuple[Invite, bytes]]) -> list[None]:
    for made, digest in commands:
        row = {**msgspec.structs.asdict(made), "code_digest": digest, "created_by": OPERATOR}
        tx.execute(invites.insert(), row)
        tx.audit(did("invite.created", made.tenant_id, ("invite", made.id), hint=made.hint, role=made.role, max_uses=1))
    return [None] * len(commands)


def _set_role_all(tx: Transaction, commands: Sequence[SetRole]) -> list[RingforgeError | None]:
    return [_set_role(tx, command) for command in commands]


def _set_role(tx: Transaction, command: SetRole) -> RingforgeError | None:
    user_id = _find(tx, command.email_key)
    if user_id is None:
        return _nobody()
    member = sa.and_(memberships.c.user_id == user_id, memberships.c.tenant_id == command.tenant_id)
    before: str | None = tx.execute(sa.select(memberships.c.role).where(member)).scalar_one_or_none()
    if before is None:
        return NotFound("They do not belong to this tenant.", fix="Invite them: ringforge users invite")
    if before == "owner" and command.role != "owner" and lock_owners(tx, command.tenant_id) == [user_id]:
        return Conflict("A tenant keeps an owner.", reason="last_owner", fix="Make somebody else an owner first.")
    tx.execute(memberships.update().where(member).values(role=command.role))
    change = {"old_role": before, "new_role": command.role}
    tx.audit(did("member.role_changed", command.tenant_id, ("user", user_id), **change))
    return None


def _disable_all(tx: Transaction, commands: Sequence[Disable]) -> list[RingforgeError | None]:
    return [_disable(tx, command) for command in commands]


def _disable(tx: Transaction, command: Disable) -> RingforgeError | None:
    user_id = _find(tx, command.email_key)
    if user_id is None:
        return _nobody()
    tx.execute(users.update().where(users.c.id == user_id).values(disabled_at=command.disabled_at))
    if command.disabled_at is not None:
        end_sessions(tx, user_id)
        one_time.forget(tx, user_id, "second_factor", "reset_password")
    _tell_tenants(tx, user_id, "user.enabled" if command.disabled_at is None else "user.disabled")
    return None


def _let_in_all(tx: Transaction, commands: Sequence[LetIn]) -> list[RingforgeError | None]:
    return [_let_in(tx, command) for command in commands]


def _let_in(tx: Transaction, command: LetIn) -> RingforgeError | None:
    user_id = _find(tx, command.email_key)
    if user_id is None:
        return _nobody()
    if tx.execute(sa.select(users.c.disabled_at).where(users.c.id == user_id)).scalar_one() is not None:
        return InvalidPayload("They are disabled.", fix="Let them in first: ringforge users enable")
    if command.drops_second_factor:
        off = {"totp_secret": None, "totp_pending": None}
        tx.execute(users.update().where(users.c.id == user_id).values(off))
        tx.execute(recovery_codes.delete().where(recovery_codes.c.user_id == user_id))
        _tell_tenants(tx, user_id, "user.second_factor_disabled")
    one_time.put(tx, command.reset)
    _tell_tenants(tx, user_id, "user.sign_in_link_made")
    return None


def _tell_tenants(tx: Transaction, user_id: str, action: str) -> None:
    places = sa.select(memberships.c.tenant_id).where(memberships.c.user_id == user_id)
    for tenant_id in tx.execute(places).scalars().all():
        tx.audit(did(action, tenant_id, ("user", user_id)))


def _find(tx: Transaction, key: str) -> str | None:
    user_id: str | None = tx.execute(sa.select(users.c.id).where(users.c.email_key == key)).scalar_one_or_none()
    return user_id


def _nobody() -> NotFound:
    return NotFound("Nobody has this e-mail here.", fix="See who is there: ringforge users list")
