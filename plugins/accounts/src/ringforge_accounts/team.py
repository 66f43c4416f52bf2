"""Who belongs to a tenant, and with what role. A tenant always keeps an owner."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from ringforge_accounts.audit import deed
from ringforge_accounts.invites import find_usable, use
from ringforge_accounts.newcomers import add_membership, not_invited
from ringforge_accounts.people import lock_owners
from ringforge_accounts.tables import memberships, user_sessions
from ringforge_accounts.tokens import code_digest
from ringforge_core.errors import Conflict, Forbidden, InvalidPayload, NotFound, RingforgeError
from ringforge_core.plugin import now
from ringforge_core.plugin.web import ROLES, Role, SignedIn
from ringforge_core.ports.store import Store, Transaction


class ChangeMember(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody gives `user_id` another role, or with None takes them out of the tenant."""

    tenant_id: str
    user_id: str
    role: Role | None
    by: str
    by_role: Role
    address: str | None


class Accept(msgspec.Struct, frozen=True, kw_only=True):
    user_id: str
    email: str
    code: bytes
    address: str | None
    at: datetime


async def change_role(store: Store, person: SignedIn, user_id: str, role: str, *, address: str | None) -> None:
    """Raises `NotFound`, `Forbidden`, and `Conflict` for the last owner."""
    chosen = next((known for known in ROLES if known == role), None)
    if chosen is None:
        raise InvalidPayload("There is no such role.", field="role", fix=f"One of {', '.join(ROLES)}.")
    await store.apply(_change_all, _change_by(person, user_id, chosen, address))


async def remove_member(store: Store, person: SignedIn, user_id: str, *, address: str | None) -> None:
    """Who is no admin can remove only themselves. Raises as `change_role` does."""
    await store.apply(_change_all, _change_by(person, user_id, None, address))


async def accept_invite(store: Store, person: SignedIn, code: str, *, address: str | None) -> str:
    """Join another tenant; returns its id. Raises `Forbidden` (`invalid_invite`), and `Conflict` for who is there."""
    command = Accept(user_id=person.user_id, email=person.email, code=code_digest(code), address=address, at=now())
    return await store.apply(_accept_all, command)


def _change_by(person: SignedIn, user_id: str, role: Role | None, address: str | None) -> ChangeMember:
    return ChangeMember(
        tenant_id=person.tenant_id, user_id=user_id, role=role, by=person.user_id, by_role=person.role, address=address
    )


def _change_all(tx: Transaction, commands: Sequence[ChangeMember]) -> list[RingforgeError | None]:
    return [_change(tx, command) for command in commands]


def _change(tx: Transaction, command: ChangeMember) -> RingforgeError | None:
    here = memberships.c.tenant_id == command.tenant_id
    member = sa.and_(here, memberships.c.user_id == command.user_id)
    before: Role | None = tx.execute(sa.select(memberships.c.role).where(member)).scalar_one_or_none()
    if before is None:
        return NotFound("There is no such member.")
    refusal = _not_allowed(command, before)
    if refusal is not None:
        return refusal
    steps_down = before == "owner" and command.role != "owner"
    if steps_down and lock_owners(tx, command.tenant_id) == [command.user_id]:
        return Conflict("A tenant keeps an owner.", reason="last_owner", fix="Make somebody else an owner first.")
    target = ("user", command.user_id)
    if command.role is not None:
        tx.execute(memberships.update().where(member).values(role=command.role))
        change = {"old_role": before, "new_role": command.role}
        tx.audit(
            deed(command.by, "member.role_changed", command.tenant_id, target=target, address=command.address, **change)
        )
        return None
    tx.execute(memberships.delete().where(member))
    here_signed_in = sa.and_(user_sessions.c.user_id == command.user_id, user_sessions.c.tenant_id == command.tenant_id)
    tx.execute(user_sessions.delete().where(here_signed_in))
    tx.audit(deed(command.by, "member.removed", command.tenant_id, target=target, address=command.address))
    return None


def _not_allowed(command: ChangeMember, before: Role) -> Forbidden | None:
    rank = ROLES.index
    if command.role is None and command.by == command.user_id:
        return None
    if rank(command.by_role) < rank("admin"):
        return Forbidden("Only admins and owners change who belongs to the tenant.")
    if max(rank(before), rank(command.role or "viewer")) > rank(command.by_role):
        return Forbidden("Nobody changes a higher role than their own, or gives one.")
    return None


def _accept_all(tx: Transaction, commands: Sequence[Accept]) -> list[str | RingforgeError]:
    return [_accept(tx, command) for command in commands]


def _accept(tx: Transaction, command: Accept) -> str | RingforgeError:
    invite = find_usable(tx, command.code, command.email, command.at)
    if invite is None or invite.role is None:
        return not_invited()
    mine = sa.and_(memberships.c.user_id == command.user_id, memberships.c.tenant_id == invite.tenant_id)
    if tx.execute(sa.select(memberships.c.role).where(mine)).first() is not None:
        return Conflict("You belong to this tenant already.", reason="is_member")
    use(tx, invite, command.user_id, command.address)
    add_membership(tx, invite.tenant_id, command.user_id, invite.role, command.at)
    target = ("user", command.user_id)
    tx.audit(
        deed(command.user_id, "member.joined", invite.tenant_id, target=target, address=command.address, role=invite.role)
    )
    return invite.tenant_id
