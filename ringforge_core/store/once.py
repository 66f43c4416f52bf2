"""Idempotency: a key is claimed before its change is made, and the reply is kept in the same commit.

A claim is a row without a reply, and stays one when the change is refused. Another hub that claims the same key waits
for this commit, and then finds the reply.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from nacl.secret import SecretBox
from sqlalchemy.dialects import postgresql, sqlite

from ringforge_core.errors import Conflict
from ringforge_core.plugin.messages import Push, Reply, encode_message, encode_payload
from ringforge_core.ports.store import Once, Transaction
from ringforge_core.store.tables import idempotency
from ringforge_core.store.work import Work

_KEY = (idempotency.c.tenant_id, idempotency.c.owner_id, idempotency.c.operation, idempotency.c.key)
_INSERT: dict[str, sqlite.Insert | postgresql.Insert] = {
    "sqlite": sqlite.insert(idempotency),
    "postgresql": postgresql.insert(idempotency),
}
_KEEP = idempotency.update().where(*(column == sa.bindparam(f"of_{column.name}") for column in _KEY))
Key = tuple[str, str, str, str]


class Idempotency:
    """`keep` is how long a reply is remembered."""

    def __init__(self, dialect: str, keep: timedelta) -> None:
        self._insert = _INSERT[dialect]
        self._keep = keep

    def claim(self, transaction: Transaction, works: Sequence[Work]) -> tuple[Sequence[Work], Sequence[Work]]:
        """Answer the repeats; returns what must be run now, and the copies that must wait for those."""
        first = {_key(work.once): work for work in reversed(works) if work.once}
        if not first:
            return works, ()
        known = self._claim(transaction, {key: work.once for key, work in first.items() if work.once})
        fresh: list[Work] = []
        copies: list[Work] = []
        for work in works:
            if work.once is None:
                fresh.append(work)
            elif (key := _key(work.once)) in known:
                _answer(work, work.once, *known[key])
            else:
                (fresh if first[key] is work else copies).append(work)
        return fresh, copies

    def keep(self, transaction: Transaction, works: Sequence[Work]) -> None:
        """Keep the replies of those that succeeded."""
        rows = [_reply_row(work.once, work.result) for work in works if work.once and work.error is None]
        if rows:
            transaction.execute(_KEEP, rows)

    def _claim(self, transaction: Transaction, claims: dict[Key, Once]) -> dict[Key, tuple[bytes, bytes]]:
        """Claims the keys that are free, expired or left by a refusal; returns what is known of the others."""
        now = datetime.now(UTC)
        free = self._insert.on_conflict_do_update(
            index_elements=_KEY,
            set_={name: self._insert.excluded[name] for name in ("fingerprint", "reply", "expires_at")},
            where=(idempotency.c.expires_at <= now) | idempotency.c.reply.is_(None),
        )
        row = {"reply": None, "expires_at": now + self._keep}
        keys = sorted(claims)  # one order for all hubs, so that none deadlock
        transaction.execute(free, [{**_claim_row(claims[key]), **row} for key in keys])
        query = sa.select(*_KEY, idempotency.c.fingerprint, idempotency.c.reply)
        used = query.where(sa.tuple_(*_KEY).in_(keys), idempotency.c.reply.is_not(None))
        return {_key(row): (row.fingerprint, row.reply) for row in transaction.execute(used)}


def forget_expired(transaction: Transaction, commands: Sequence[datetime]) -> list[int]:
    """Delete what expired before the instants given; returns how many."""
    return [transaction.execute(idempotency.delete().where(idempotency.c.expires_at <= now)).rowcount for now in commands]


def _key(once: Once | sa.Row[Any]) -> Key:
    return once.tenant_id, once.owner_id, once.operation, once.key


def _claim_row(once: Once) -> dict[str, Any]:
    return {
        "tenant_id": once.tenant_id, "owner_id": once.owner_id, "operation": once.operation, "key": once.key,
        "fingerprint": once.fingerprint,
    }  # fmt: skip


def _answer(work: Work, once: Once, fingerprint: bytes, reply: bytes) -> None:
    if once.fingerprint == fingerprint:
        work.result = msgspec.Raw(reply if once.secret is None else SecretBox(once.secret).decrypt(reply))
    else:
        work.error = Conflict(
            "This idempotency key was used for another request.",
            reason="idempotency_conflict",
            fix="Use a new key for each new request; repeat a key only with the same payload.",
        )


def _reply_row(once: Once, result: Any) -> dict[str, Any]:
    reply = encode_message(result) if isinstance(result, (Reply, Push)) else bytes(encode_payload(result))
    if once.secret is not None:
        reply = SecretBox(once.secret).encrypt(reply)
    return {"reply": reply, **{f"of_{column.name}": value for column, value in zip(_KEY, _key(once), strict=True)}}
