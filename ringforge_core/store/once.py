"""Idempotency: a reply is kept in the same commit as the change it answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
import sqlalchemy.exc

from ringforge_core.plugin.messages import Push, Reply, encode_message, encode_payload
from ringforge_core.ports.store import Once, Transaction
from ringforge_core.store.tables import idempotency
from ringforge_core.store.work import Work, idempotency_conflict

_KEY = (idempotency.c.tenant_id, idempotency.c.owner_id, idempotency.c.operation, idempotency.c.key)
Key = tuple[str, str, str, str]


class KeyTaken(Exception):
    """Another hub has just used one of these keys; its reply can be read after its commit."""


class Idempotency:
    def __init__(self, keep: timedelta) -> None:
        self._keep = keep

    def answer_repeats(self, connection: sa.Connection, works: Sequence[Work]) -> tuple[list[Work], list[Work]]:
        """Answer what is known; returns what must be run now, and the copies that must wait for those."""
        known = self._known(connection, {_key(work.once) for work in works if work.once})
        fresh, copies, running = [], [], set()
        for work in works:
            if work.once is None:
                fresh.append(work)
            elif (key := _key(work.once)) in known:
                _answer(work, work.once, *known[key])
            elif key in running:
                copies.append(work)
            else:
                running.add(key)
                fresh.append(work)
        return fresh, copies

    def remember(self, connection: sa.Connection, works: Sequence[Work]) -> None:
        """Keep the replies of those that succeeded; raises `KeyTaken` when another hub was faster."""
        expires_at = datetime.now(UTC) + self._keep
        rows = [_row(work.once, work.result, expires_at) for work in works if work.once and work.error is None]
        if not rows:
            return
        try:
            connection.execute(idempotency.insert(), sorted(rows, key=lambda row: row["key"]))
        except sqlalchemy.exc.IntegrityError as error:
            raise KeyTaken from error

    def _known(self, connection: sa.Connection, keys: set[Key]) -> dict[Key, tuple[bytes, bytes]]:
        if not keys:
            return {}
        wanted, now = sa.tuple_(*_KEY).in_(sorted(keys)), datetime.now(UTC)
        rows = connection.execute(sa.select(idempotency).where(wanted)).all()
        if any(row.expires_at <= now for row in rows):
            connection.execute(idempotency.delete().where(wanted, idempotency.c.expires_at <= now))
        return {tuple(row[:4]): (row.fingerprint, row.reply) for row in rows if row.expires_at > now}


def forget_expired(transaction: Transaction, commands: Sequence[datetime]) -> list[int]:
    """Delete what expired before the instants given; returns how many."""
    return [transaction.execute(idempotency.delete().where(idempotency.c.expires_at <= now)).rowcount for now in commands]


def _key(once: Once) -> Key:
    return once.tenant_id, once.owner_id, once.operation, once.key


def _answer(work: Work, once: Once, fingerprint: bytes, reply: bytes) -> None:
    if once.fingerprint == fingerprint:
        work.result = msgspec.Raw(reply)
    else:
        work.error = idempotency_conflict()


def _row(once: Once, result: Any, expires_at: datetime) -> dict[str, Any]:
    reply = encode_message(result) if isinstance(result, (Reply, Push)) else bytes(encode_payload(result))
    return {**msgspec.structs.asdict(once), "reply": reply, "expires_at": expires_at}
