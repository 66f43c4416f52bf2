"""A person deletes their account. What they did stays in the audit logs, under an id that leads to nobody any more."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from ringforge_accounts.audit import deed
from ringforge_accounts.letter_box import Letter, post
from ringforge_accounts.people import lock_owners
from ringforge_accounts.tables import invites, memberships, tenants, users, waitlist
from ringforge_accounts.tokens import email_key
from ringforge_core.errors import Conflict, RingforgeError
from ringforge_core.plugin.web import SignedIn
from ringforge_core.ports.store import Store, Transaction


class Deletion(msgspec.Struct, frozen=True):
    user_id: str
    email_key: str
    letter: Letter
    address: str | None


async def delete_account(store: Store, person: SignedIn, *, letter: Letter, address: str | None) -> None:
    """Sessions, identities, second factor and memberships go with it. Raises `Conflict` (`last_owner`)."""
    await store.apply(_delete_all, Deletion(person.user_id, email_key(person.email), letter, address))


def _delete_all(tx: Transaction, commands: Sequence[Deletion]) -> list[RingforgeError | None]:
    return [_delete(tx, command) for command in commands]


def _delete(tx: Transaction, command: Deletion) -> RingforgeError | None:
    belongs = (
        sa.select(memberships.c.tenant_id, memberships.c.role, tenants.c.name)
        .join(tenants, tenants.c.id == memberships.c.tenant_id)
        .where(memberships.c.user_id == command.user_id)
        .order_by(memberships.c.tenant_id)
    )
    places = tx.execute(belongs).all()
    for place in places:
        if place.role == "owner" and lock_owners(tx, place.tenant_id) == [command.user_id]:
            return Conflict(
                f"You are the last owner of {place.name}.", reason="last_owner",
                fix="Make somebody else an owner on the page Team, or ask those who run this hub to close the tenant.",
            )  # fmt: skip
    for place in places:
        tx.audit(deed(command.user_id, "user.deleted", place.tenant_id, address=command.address))
    tx.execute(users.delete().where(users.c.id == command.user_id))
    for table in (waitlist, invites):
        tx.execute(table.delete().where(table.c.email_key == command.email_key))
    post(tx, command.letter)
    return None
