"""How often something may be tried: counted in the database, so on every node and across restarts.

A try is counted before it is made; so many tries at once are not more than one after another. Windows are fixed, and
they are counted for e-mails and addresses that exist and that do not exist alike.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert  # its `on_conflict_do_update` is valid SQLite as well

from ringforge_accounts.tables import account_tries
from ringforge_accounts.tokens import digest
from ringforge_core.errors import LimitReached
from ringforge_core.plugin import now
from ringforge_core.ports.store import Store, Transaction

MINUTE = timedelta(minutes=1)
QUARTER = timedelta(minutes=15)
HOUR = timedelta(hours=1)
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00Z")


class Bound(msgspec.Struct, frozen=True):
    """At most `most` of a `kind` for one `subject` in a window."""

    kind: str
    subject: str
    most: int
    window: timedelta = QUARTER


class Try(msgspec.Struct, frozen=True):
    bounds: tuple[Bound, ...]
    at: datetime


class Forgive(msgspec.Struct, frozen=True):
    """A try was good: it does not count against these."""

    kind: str
    subject: str


async def count_try(store: Store, *bounds: Bound) -> None:
    """Count one for each bound up to the first that is full: that one is raised as `LimitReached` (`rate_limited`).

    The bound of the address stands first: from one that is refused, nobody uses up another's account, or the table.
    """
    await store.apply(_count, Try(bounds, now()))


async def forgive(store: Store, kind: str, subject: str) -> None:
    await store.apply(_forgive, Forgive(kind, subject))


def network(address: str | None) -> str:
    """The address; of an IPv6 address its /64, as one client has all of it."""
    if address is None or ":" not in address:
        return address or "unknown"
    try:
        return str(ipaddress.ip_network((address.partition("%")[0], 64), strict=False))
    except ValueError:
        return address


def _count(tx: Transaction, commands: Sequence[Try]) -> list[LimitReached | None]:
    return [_count_all(tx, command) for command in commands]


def _count_all(tx: Transaction, command: Try) -> LimitReached | None:
    refusals = (_count_one(tx, bound, command.at) for bound in command.bounds)
    return next((refusal for refusal in refusals if refusal is not None), None)


def _count_one(tx: Transaction, bound: Bound, at: datetime) -> LimitReached | None:
    number = (at - EPOCH) // bound.window
    ends = EPOCH + (number + 1) * bound.window
    row = {"kind": bound.kind, "subject": digest(bound.subject), "window": number, "tries": 1, "expires_at": ends}
    counted = insert(account_tries).values(row)
    statement = counted.on_conflict_do_update(
        index_elements=["kind", "subject", "window"], set_={"tries": account_tries.c.tries + 1}
    ).returning(account_tries.c.tries)
    if tx.execute(statement).scalar_one() <= bound.most:
        return None
    wait = int((ends - at).total_seconds() * 1000)
    return LimitReached(
        "That was tried too often.", reason="rate_limited", fix="Wait a while, then try again.", retry_after_ms=wait
    )


def _forgive(tx: Transaction, commands: Sequence[Forgive]) -> list[None]:
    for command in commands:
        of_subject = sa.and_(account_tries.c.kind == command.kind, account_tries.c.subject == digest(command.subject))
        tx.execute(account_tries.delete().where(of_subject))
    return [None] * len(commands)
