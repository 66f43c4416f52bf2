"""Writes audit entries in the commit of the deed that they tell of, chained per tenant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert  # its `on_conflict` clauses are valid SQLite as well

from ringforge_core.audit.chain import GENESIS, Link, hash_of, metadata_text
from ringforge_core.audit.tables import audit_heads, audit_logs
from ringforge_core.ports.store import AuditEntry, Transaction

Clock = Callable[[], datetime]
Head = tuple[int, str]

_HEADS = (
    sa.select(audit_heads)
    .where(audit_heads.c.tenant_id.in_(sa.bindparam("tenant_ids", expanding=True)))
    .order_by(audit_heads.c.tenant_id)  # one order for all hubs, so that none deadlock
    .with_for_update()
)
_BEGIN = insert(audit_heads).on_conflict_do_nothing()
_MOVE = (
    audit_heads.update()
    .where(audit_heads.c.tenant_id == sa.bindparam("of_tenant"))
    .values(seq=sa.bindparam("new_seq"), hash=sa.bindparam("new_hash"))
)
_INSERT = audit_logs.insert()


def utc_now() -> datetime:
    return datetime.now(UTC)


class AuditTrail:
    """The writer's side of the log. The heads stay locked until the commit, so hubs take turns."""

    def __init__(self, *, clock: Clock = utc_now) -> None:
        self._clock = clock

    def enter(self, transaction: Transaction, entries: Sequence[AuditEntry]) -> None:
        """Write the entries, each tenant's in this order."""
        heads = _heads(transaction, sorted({entry.tenant_id for entry in entries}))
        at = self._clock()
        links = []
        for entry in entries:
            seq, prev_hash = heads[entry.tenant_id]
            link = _link(entry, seq + 1, prev_hash, at)
            heads[entry.tenant_id] = link.seq, link.hash
            links.append(link)
        transaction.execute(_INSERT, [msgspec.structs.asdict(link) for link in links])
        moved = [
            {"of_tenant": tenant_id, "new_seq": seq, "new_hash": digest}
            for tenant_id, (seq, digest) in sorted(heads.items())
        ]
        transaction.execute(_MOVE, moved)


def _heads(transaction: Transaction, tenant_ids: Sequence[str]) -> dict[str, Head]:
    heads = _read_heads(transaction, tenant_ids)
    if missing := [tenant_id for tenant_id in tenant_ids if tenant_id not in heads]:
        transaction.execute(_BEGIN, [{"tenant_id": tenant_id, "seq": 0, "hash": GENESIS} for tenant_id in missing])
        heads = _read_heads(transaction, tenant_ids)  # once more: another hub may have begun the chain
    return heads


def _read_heads(transaction: Transaction, tenant_ids: Sequence[str]) -> dict[str, Head]:
    return {row.tenant_id: (row.seq, row.hash) for row in transaction.execute(_HEADS, {"tenant_ids": tenant_ids})}


def _link(entry: AuditEntry, seq: int, prev_hash: str, at: datetime) -> Link:
    link = Link(
        tenant_id=entry.tenant_id, seq=seq, at=at, action=entry.action, actor_type=entry.actor_type,
        actor_id=entry.actor_id, target_type=entry.target_type, target_id=entry.target_id, ip_address=entry.address,
        metadata=metadata_text(entry.metadata), prev_hash=prev_hash,
    )  # fmt: skip
    return msgspec.structs.replace(link, hash=hash_of(link))
