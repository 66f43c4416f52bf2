"""Links and tickets that work once: prove an e-mail, reset a password, become the first owner, go on to a second factor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
import sqlalchemy as sa

from ringforge_accounts.letter_box import Letter, post
from ringforge_accounts.tables import one_time_tokens as table
from ringforge_accounts.tokens import digest, new_token
from ringforge_core.errors import Unauthenticated
from ringforge_core.plugin import now
from ringforge_core.ports.store import Store, Transaction

Purpose = Literal[
    "register", "approved", "reset_password", "first_owner", "second_factor", "change_email", "undo_email"
]  # fmt: skip

VALID_FOR: dict[Purpose, timedelta] = {
    "register": timedelta(hours=24),
    "approved": timedelta(days=14),
    "reset_password": timedelta(minutes=30),
    "first_owner": timedelta(hours=24),
    "second_factor": timedelta(minutes=10),
    "change_email": timedelta(hours=24),
    "undo_email": timedelta(days=7),
}
SEVERAL: tuple[Purpose, ...] = ("second_factor", "undo_email")
"""Of these several are valid at once: a person may sign in twice; and who took an account over ends no way back."""


class Ticket(msgspec.Struct, frozen=True):
    """What a token stands for."""

    purpose: Purpose
    user_id: str | None
    data: dict[str, Any]


class Issue(msgspec.Struct, frozen=True):
    """A token that comes to be with a change, and the mail that it goes out with."""

    digest: bytes
    ticket: Ticket
    letter: Letter | None
    at: datetime


WriteLetter = Callable[[str], Letter]
"""Makes the mail that a token goes out with."""


async def issue(
    store: Store, purpose: Purpose, *, user_id: str | None = None, letter: WriteLetter | None = None, **data: Any
) -> str:
    """A new token; of a person's earlier ones for the same purpose, none works any more. Its mail is committed with it."""
    token = new_token()
    await store.apply(_issue_all, draft(purpose, token, user_id=user_id, letter=letter, **data))
    return token


def draft(
    purpose: Purpose, token: str, *, user_id: str | None = None, letter: WriteLetter | None = None, **data: Any
) -> Issue:
    return Issue(digest(token), Ticket(purpose, user_id, data), letter(token) if letter is not None else None, now())


async def look_up(store: Store, purpose: Purpose, token: str) -> Ticket:
    """What the token stands for, without using it up. Raises `Unauthenticated`."""
    query = sa.select(table.c.user_id, table.c.data).where(_is_valid(purpose, digest(token), now()))
    row = await store.read(lambda connection: connection.execute(query).one_or_none())
    if row is None:
        raise used_up()
    return Ticket(purpose, row.user_id, row.data)


def take(tx: Transaction, purpose: Purpose, token_digest: bytes, at: datetime) -> Ticket | None:
    """Use the token up within a change; None when there is none, or it is used or too old. Of two at once, one gets it."""
    statement = table.delete().where(_is_valid(purpose, token_digest, at)).returning(table.c.user_id, table.c.data)
    row = tx.execute(statement).one_or_none()
    return None if row is None else Ticket(purpose, row.user_id, row.data)


def used_up() -> Unauthenticated:
    return Unauthenticated("This link was used already, or it is too old.", reason="invalid_link", fix="Ask for a new one.")


def _is_valid(purpose: Purpose, token_digest: bytes, at: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.digest == token_digest, table.c.purpose == purpose, table.c.expires_at > at)


def _issue_all(tx: Transaction, commands: Sequence[Issue]) -> list[None]:
    for command in commands:
        put(tx, command)
    return [None] * len(commands)


def put(tx: Transaction, command: Issue) -> None:
    """Part of a change: the token, and its mail."""
    ticket = command.ticket
    if ticket.user_id is not None and ticket.purpose not in SEVERAL:
        forget(tx, ticket.user_id, ticket.purpose)
    row = {
        "digest": command.digest, "purpose": ticket.purpose, "user_id": ticket.user_id, "data": ticket.data,
        "expires_at": command.at + VALID_FOR[ticket.purpose],
    }  # fmt: skip
    tx.execute(table.insert(), row)
    if command.letter is not None:
        post(tx, command.letter)


def forget(tx: Transaction, user_id: str, *purposes: Purpose) -> None:
    """Part of a change after which a person's links for these purposes lead nowhere."""
    tx.execute(table.delete().where(table.c.user_id == user_id, table.c.purpose.in_(purposes)))
