"""The waitlist: who asked for a place, and who of them was given one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert  # its `on_conflict_do_nothing` is valid SQLite as well

from ringforge_accounts import one_time
from ringforge_accounts.letter_box import Letter
from ringforge_accounts.tables import waitlist
from ringforge_accounts.tokens import email_key, new_token
from ringforge_core.errors import NotFound, RingforgeError
from ringforge_core.plugin import new_uuid, now
from ringforge_core.ports.store import AuditEntry, Store, Transaction


class Waiting(msgspec.Struct, frozen=True):
    id: str
    email: str
    name: str | None
    inserted_at: datetime


class Approve(msgspec.Struct, frozen=True):
    """`entry` is what the audit log says of it; `place` is the link, with its mail."""

    waiting_id: str
    entry: AuditEntry
    place: one_time.Issue
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


async def approve(store: Store, waiting_id: str, *, entry: AuditEntry, letter: Callable[[str, str], Letter]) -> str:
    """Give them a place; returns their e-mail. `letter` makes the mail of the e-mail and the link's token; it is committed
    with the rest. Raises `NotFound`."""
    query = sa.select(waitlist.c.email).where(_waits(waiting_id))
    email: str | None = await store.read(lambda connection: connection.execute(query).scalar_one_or_none())
    if email is None:
        raise _nobody()
    place = one_time.draft("approved", new_token(), letter=lambda token: letter(email, token), email=email)
    await store.apply(_approve_all, Approve(waiting_id, entry, place, now()))
    return email


def _join_all(tx: Transaction, commands: Sequence[Waiting]) -> list[None]:
    for command in commands:
        row = {**msgspec.structs.asdict(command), "email_key": email_key(command.email)}
        tx.execute(insert(waitlist).on_conflict_do_nothing(index_elements=["email_key"]), row)
    return [None] * len(commands)


def _approve_all(tx: Transaction, commands: Sequence[Approve]) -> list[RingforgeError | None]:
    return [_approve(tx, command) for command in commands]


def _approve(tx: Transaction, command: Approve) -> RingforgeError | None:
    changed = waitlist.update().where(_waits(command.waiting_id)).values(approved_at=command.at)
    if not tx.execute(changed).rowcount:
        return _nobody()
    one_time.put(tx, command.place)
    tx.audit(command.entry)
    return None


def _waits(waiting_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(waitlist.c.id == waiting_id, waitlist.c.approved_at.is_(None))


def _nobody() -> NotFound:
    return NotFound("Nobody waits under this id.")
