"""Invitations: a code that lets some people in, for some time, into a tenant with a role, or to a tenant of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa

from ringforge_accounts.audit import deed
from ringforge_accounts.letter_box import Letter, post
from ringforge_accounts.tables import invites, tenants
from ringforge_accounts.tokens import code_digest, email_key, new_code
from ringforge_core.errors import Forbidden, InvalidPayload, NotFound, RingforgeError
from ringforge_core.plugin import new_uuid, now
from ringforge_core.plugin.web import ROLES, Role, SignedIn
from ringforge_core.ports.store import Store, Transaction

MOST_USES = 1000
LONGEST = timedelta(days=90)
HINT_LENGTH = 4


class Invite(msgspec.Struct, frozen=True):
    id: str
    tenant_id: str
    hint: str
    role: Role | None
    email_key: str | None
    max_uses: int
    uses: int
    inserted_at: datetime
    expires_at: datetime


class NewInvite(msgspec.Struct, frozen=True):
    invite: Invite
    digest: bytes
    created_by: str
    letter: Letter | None
    address: str | None


class RevokeInvite(msgspec.Struct, frozen=True):
    tenant_id: str
    invite_id: str
    user_id: str
    address: str | None


async def create_invite(
    store: Store, person: SignedIn, *, role: Role | None, email: str | None, max_uses: int, valid_for: timedelta,
    address: str | None, letter: Callable[[str], Letter] | None = None,
) -> str:  # fmt: skip
    """The code, which is shown this once. `role` None: to a tenant of their own, for those who run the hub to offer.
    `letter` makes the mail that it goes out with.

    Raises `Forbidden` for a role above the person's own, `InvalidPayload` for bounds.
    """
    _check(person, role, max_uses, valid_for)
    if role is None and not await runs_the_hub(store, person):
        raise Forbidden("Only owners of the hub's own tenant invite people to tenants of their own.")
    code, at = new_code(), now()
    invite = Invite(
        new_uuid(), person.tenant_id, code[:HINT_LENGTH], role, email_key(email) if email else None, max_uses, 0, at,
        at + valid_for,
    )  # fmt: skip
    await store.apply(
        _create_all, NewInvite(invite, code_digest(code), person.user_id, letter(code) if letter else None, address)
    )
    return code


async def list_invites(store: Store, tenant_id: str) -> list[Invite]:
    """Those that can still be used, the newest first."""
    query = (
        sa.select(*_columns())
        .where(invites.c.tenant_id == tenant_id, _has_uses_left(now()))
        .order_by(invites.c.inserted_at.desc())
        .limit(200)
    )
    rows = await store.read(lambda connection: connection.execute(query).mappings().fetchall())
    return [Invite(**row) for row in rows]


async def revoke_invite(store: Store, person: SignedIn, invite_id: str, *, address: str | None) -> None:
    """Raises `NotFound`, also for one of another tenant."""
    await store.apply(_revoke_all, RevokeInvite(person.tenant_id, invite_id, person.user_id, address))


async def look_at(store: Store, code: str) -> tuple[Invite, str] | None:
    """An invitation that can be used, and the name of its tenant; whose e-mail it must be is not looked at."""
    query = (
        sa.select(*_columns(), tenants.c.name.label("tenant_name"))
        .join(tenants, tenants.c.id == invites.c.tenant_id)
        .where(invites.c.code_digest == code_digest(code), _has_uses_left(now()))
    )
    row = await store.read(lambda connection: connection.execute(query).mappings().one_or_none())
    if row is None:
        return None
    values = dict(row)
    tenant_name = str(values.pop("tenant_name"))
    return Invite(**values), tenant_name


def find_usable(tx: Transaction, digest: bytes, email: str, at: datetime) -> Invite | None:
    """Part of a change: the invitation, if this person may use it."""
    query = sa.select(*_columns()).where(
        invites.c.code_digest == digest,
        _has_uses_left(at),
        sa.or_(invites.c.email_key.is_(None), invites.c.email_key == email_key(email)),
    )
    row = tx.execute(query.with_for_update()).mappings().one_or_none()
    return None if row is None else Invite(**row)


def use(tx: Transaction, invite: Invite, user_id: str, address: str | None) -> None:
    """Part of the same change: one use less. The table refuses one too many, should two hubs race."""
    tx.execute(invites.update().where(invites.c.id == invite.id).values(uses=invites.c.uses + 1))
    target = ("invite", invite.id)
    tx.audit(deed(user_id, "invite.used", invite.tenant_id, target=target, address=address, hint=invite.hint))


async def runs_the_hub(store: Store, person: SignedIn) -> bool:
    """Whether they own a tenant that the operator made on the command line, or at the first start."""
    query = sa.select(tenants.c.handle).where(tenants.c.id == person.tenant_id)
    handle = await store.read(lambda connection: connection.execute(query).scalar_one_or_none())
    return handle is not None and person.may("owner")


def _check(person: SignedIn, role: Role | None, max_uses: int, valid_for: timedelta) -> None:
    if role is not None and role not in ROLES:
        raise InvalidPayload("There is no such role.", field="role", fix=f"One of {', '.join(ROLES)}.")
    if role is not None and not person.may(role):
        raise Forbidden("You cannot invite somebody to a higher role than yours.", field="role")
    if not 1 <= max_uses <= MOST_USES:
        raise InvalidPayload(f"An invitation has 1 to {MOST_USES} uses.", field="max_uses")
    if not timedelta(0) < valid_for <= LONGEST:
        raise InvalidPayload(f"An invitation is valid for at most {LONGEST.days} days.", field="days")


def _columns() -> list[sa.Column[object]]:
    return [invites.c[name] for name in Invite.__struct_fields__]


def _has_uses_left(at: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(invites.c.expires_at > at, invites.c.uses < invites.c.max_uses)


def _create_all(tx: Transaction, commands: Sequence[NewInvite]) -> list[None]:
    for command in commands:
        invite = command.invite
        row = {**msgspec.structs.asdict(invite), "code_digest": command.digest, "created_by": command.created_by}
        tx.execute(invites.insert(), row)
        if command.letter is not None:
            post(tx, command.letter)
        what = {"hint": invite.hint, "role": invite.role, "max_uses": invite.max_uses}
        target = ("invite", invite.id)
        tx.audit(
            deed(command.created_by, "invite.created", invite.tenant_id, target=target, address=command.address, **what)
        )
    return [None] * len(commands)


def _revoke_all(tx: Transaction, commands: Sequence[RevokeInvite]) -> list[RingforgeError | None]:
    return [_revoke(tx, command) for command in commands]


def _revoke(tx: Transaction, command: RevokeInvite) -> RingforgeError | None:
    mine = sa.and_(invites.c.id == command.invite_id, invites.c.tenant_id == command.tenant_id)
    if not tx.execute(invites.delete().where(mine)).rowcount:
        return NotFound("There is no such invitation.")
    target = ("invite", command.invite_id)
    tx.audit(deed(command.user_id, "invite.revoked", command.tenant_id, target=target, address=command.address))
    return None
