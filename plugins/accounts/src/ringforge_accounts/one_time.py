"""Links and tickets that work once: prove an e-mail, reset a password, become the first owner, go on to a second factor."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
import sqlalchemy as sa

from ringforge_accounts.tables import one_time_tokens as table
from ringforge_accounts.tokens import digest, new_token
from ringforge_core.errors import Unauthenticated
from ringforge_core.plugin import now
from ringforge_core.ports.store import Store, Transaction

Purpose = Literal["register", "approved", "reset_password", "first_owner", "second_factor"]

VALID_FOR: dict[Purpose, timedelta] = {
    "register": timedelta(hours=24),
    "approved": timedelta(days=14),
    "reset_password": timedelta(minutes=30),
    "first_owner": timedelta(hours=24),
    "second_factor": timedelta(minutes=10),
}


class Ticket(msgspec.Struct, frozen=True):
    """What a token stands for."""

    purpose: Purpose
    user_id: str | None
    data: dict[str, Any]


class Issue(msgspec.Struct, frozen=True):
    digest: bytes
    ticket: Ticket
    at: datetime


async def issue(store: Store, purpose: Purpose, *, user_id: str | None = None, **data: Any) -> str:
    """A new token; of a person's earlier ones for the same purpose, none works any more."""
    token = new_token()
    await store.apply(_issue, Issue(digest(token), Ticket(purpose, user_id, data), now()))
    return token


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


def _issue(tx: Transaction, commands: Sequence[Issue]) -> list[None]:
    for command in commands:
        ticket = command.ticket
        if ticket.user_id is not None and ticket.purpose != "second_factor":  # a person may sign in twice at once
            earlier = sa.and_(table.c.user_id == ticket.user_id, table.c.purpose == ticket.purpose)
            tx.execute(table.delete().where(earlier))
        row = {
            "digest": command.digest,
            "purpose": ticket.purpose,
            "user_id": ticket.user_id,
            "data": ticket.data,
            "expires_at": command.at + VALID_FOR[ticket.purpose],
        }
        tx.execute(table.insert(), row)
    return [None] * len(commands)
