"""Mails that wait to be sent: in the database from the commit that promised them until a mail server took them.

Whom they go to and what they say is sealed, for their links let people in. A letter to nobody costs what one to somebody
does, and is thrown away: so the time of an answer does not tell who has an account.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from ringforge_accounts.sealing import Sealer
from ringforge_accounts.tables import mails as table
from ringforge_core.plugin import new_uuid, now
from ringforge_core.ports.auth import Mail
from ringforge_core.ports.store import Store, Transaction

CLAIM = timedelta(minutes=5)
"""How long a hub has a mail for itself: longer than a try to send it may take."""
NOBODY = Mail("", "", " " * 300)


class Letter(msgspec.Struct, frozen=True):
    """A sealed mail, for the change that promises it."""

    id: str
    sealed: bytes
    at: datetime


class Claimed(msgspec.Struct, frozen=True):
    id: str
    sealed: bytes
    tries: int
    inserted_at: datetime


class Claim(msgspec.Struct, frozen=True):
    node: str
    at: datetime


class Retry(msgspec.Struct, frozen=True):
    id: str
    at: datetime


def seal(sealer: Sealer, mail: Mail | None) -> Letter:
    """None: a letter to nobody."""
    letter_id = new_uuid()
    return Letter(letter_id, sealer.seal(msgspec.json.encode(mail or NOBODY), for_=f"mail {letter_id}"), now())


def unseal(sealer: Sealer, claimed: Claimed) -> Mail | None:
    mail = msgspec.json.decode(sealer.open(claimed.sealed, for_=f"mail {claimed.id}"), type=Mail)
    return mail if mail.to else None


def post(tx: Transaction, letter: Letter) -> None:
    """Part of a change: with it the mail is promised."""
    row = {"id": letter.id, "sealed": letter.sealed, "next_try_at": letter.at, "inserted_at": letter.at}
    tx.execute(table.insert(), row)


def post_all(tx: Transaction, commands: Sequence[Letter]) -> list[None]:
    for letter in commands:
        post(tx, letter)
    return [None] * len(commands)


async def is_due(store: Store) -> bool:
    query = sa.select(table.c.id).where(table.c.next_try_at <= now()).limit(1)
    return await store.read(lambda connection: connection.execute(query).first()) is not None


async def claim(store: Store, node: str) -> Claimed | None:
    """The mail that is due longest; no other hub has it until the claim is over."""
    return await store.apply(_claim_all, Claim(node, now()))


async def put_back(store: Store, letter_id: str, at: datetime) -> None:
    """It could not be sent: try again at this time."""
    await store.apply(_put_back_all, Retry(letter_id, at))


async def remove(store: Store, letter_id: str) -> None:
    await store.apply(_remove_all, letter_id)


async def release(store: Store, node: str) -> None:
    """What a hub had claimed that is no more, is due again."""
    await store.apply(_release_all, Claim(node, now()))


def _claim_all(tx: Transaction, commands: Sequence[Claim]) -> list[Claimed | None]:
    return [_claim_one(tx, command) for command in commands]


def _claim_one(tx: Transaction, command: Claim) -> Claimed | None:
    due = table.c.next_try_at <= command.at
    first = sa.select(table.c.id).where(due).order_by(table.c.next_try_at).limit(1).with_for_update(skip_locked=True)
    statement = (
        table.update()
        .where(table.c.id == first.scalar_subquery(), due)
        .values(claimed_by=command.node, next_try_at=command.at + CLAIM, tries=table.c.tries + 1)
        .returning(table.c.id, table.c.sealed, table.c.tries, table.c.inserted_at)
    )
    row: Any = tx.execute(statement).one_or_none()
    return None if row is None else Claimed(*row)


def _put_back_all(tx: Transaction, commands: Sequence[Retry]) -> list[None]:
    for command in commands:
        waits = table.update().where(table.c.id == command.id).values(claimed_by=None, next_try_at=command.at)
        tx.execute(waits)
    return [None] * len(commands)


def _remove_all(tx: Transaction, commands: Sequence[str]) -> list[None]:
    for letter_id in commands:
        tx.execute(table.delete().where(table.c.id == letter_id))
    return [None] * len(commands)


def _release_all(tx: Transaction, commands: Sequence[Claim]) -> list[None]:
    for command in commands:
        theirs = table.update().where(table.c.claimed_by == command.node)
        tx.execute(theirs.values(claimed_by=None, next_try_at=command.at))
    return [None] * len(commands)
