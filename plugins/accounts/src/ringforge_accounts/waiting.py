"""The waitlist: who asked for a place, and who of them was given one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert  # its `on_conflict_do_nothing` is valid SQLite as well

from ringforge_accounts.audit import deed
from ringforge_accounts.tables import waitlist
from ringforge_accounts.tokens import email_key
from ringforge_core.errors import NotFound, RingforgeError
from ringforge_core.plugin import new_uuid, now
from ringforge_core.plugin.web import SignedIn
from ringforge_core.ports.store import Store, Transaction


class Waiting(msgspec.Struct, frozen=True):
    id: str
    email: str
    name: str | None
    inserted_at: datetime


class Approve(msgspec.Struct, frozen=True):
    waiting_id: str
    user_id: str
    tenant_id: str
    address: str | None
    at: datetime


async def join_waitlist(store: Store, email: str, name: str | None) -> None:
    """Who is on it already stays where they are."""
    await store.apply(_join_all, Waiting(new_uuid(), email, name, now()))


async def list_waiting(store: Store) -> list[Waiting]:
    """Those without a place, who came first first. It is of the whole hub: for those who run it."""
    columns = [waitlist.c[name] for name in Waiting.__struct_fields__]
    query = sa.select(*columns).where(waitlist.c.approved_at.is_(None)).order_by(waitlist.c.inserted_at).limit(200)
    rows = await store.read(lambda connection: connection.execute(query).mappings().fetchall())
    return [Waiting(**row) for row in rows]


async def approve(store: Store, person: SignedIn, waiting_id: str, *, address: str | None) -> str:
    """Give them a place; returns their e-mail. Raises `NotFound`."""
    return await store.apply(_approve_all, Approve(waiting_id, person.user_id, person.tenant_id, address, now()))


def _join_all(tx: Transaction, commands: Sequence[Waiting]) -> list[None]:
    for command in commands:
        row = {**msgspec.structs.asdict(command), "email_key": email_key(command.email)}
        tx.execute(insert(waitlist).on_conflict_do_nothing(index_elements=["email_key"]), row)
    return [None] * len(commands)


def _approve_all(tx: Transaction, commands: Sequence[Approve]) -> list[str | RingforgeError]:
    return [_approve(tx, command) for command in commands]


def _approve(tx: Transaction, command: Approve) -> str | RingforgeError:
    chosen = sa.and_(waitlist.c.id == command.waiting_id, waitlist.c.approved_at.is_(None))
    changed = waitlist.update().where(chosen).values(approved_at=command.at).returning(waitlist.c.email)
    email: str | None = tx.execute(changed).scalar_one_or_none()
    if email is None:
        return NotFound("Nobody waits under this id.")
    target = ("waiting", command.waiting_id)
    tx.audit(deed(command.user_id, "waitlist.approved", command.tenant_id, target=target, address=command.address))
    return email
