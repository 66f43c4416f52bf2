"""Reads the audit log, and finds out whether somebody has been at it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import sqlalchemy as sa

from ringforge_core.audit.chain import GENESIS, Link, hash_of
from ringforge_core.audit.tables import audit_heads, audit_logs
from ringforge_core.plugin.records import AuditRecord
from ringforge_core.ports.store import Store

PAGE = 1_000


class Fault(msgspec.Struct, frozen=True):
    """The first row of a tenant's log that is not as it was written."""

    tenant_id: str
    seq: int
    problem: str


class Verified(msgspec.Struct, frozen=True):
    """A tenant's log up to `seq`, whose hash is `head`: kept elsewhere, it proves later that all this was not rewritten."""

    tenant_id: str
    seq: int
    head: str
    fault: Fault | None = None


async def read_entries(
    store: Store, tenant_id: str, *, before_seq: int | None = None, action: str | None = None, limit: int = 50
) -> list[AuditRecord]:
    """The newest `limit` entries, newest first; `before_seq` is the cursor: the last `seq` of the page before."""
    query = sa.select(audit_logs).where(audit_logs.c.tenant_id == tenant_id)
    if before_seq is not None:
        query = query.where(audit_logs.c.seq < before_seq)
    if action is not None:
        query = query.where(audit_logs.c.action == action)
    query = query.order_by(audit_logs.c.seq.desc()).limit(limit)
    rows = await store.read(lambda connection: connection.execute(query).mappings().all())
    return [
        AuditRecord(
            **{name: row[name] for name in AuditRecord.__struct_fields__ if name != "metadata"},
            metadata=_decoded(row["metadata"]),
        )
        for row in rows
    ]


async def verify(store: Store, tenant_id: str | None = None) -> list[Verified]:
    """Look at every entry of the tenant, or of all; each log up to its first fault."""

    def query(connection: sa.Connection) -> list[Verified]:
        known = sa.union(sa.select(audit_logs.c.tenant_id), sa.select(audit_heads.c.tenant_id)).order_by("tenant_id")
        tenant_ids = connection.scalars(known).all() if tenant_id is None else [tenant_id]
        return [_verify(connection, each) for each in tenant_ids]

    return await store.read(query)


def _verify(connection: sa.Connection, tenant_id: str) -> Verified:
    seq, digest = 0, GENESIS
    for link in _links(connection, tenant_id):
        problem = _problem(link, seq, digest)
        if problem is not None:
            return Verified(tenant_id, seq, digest, Fault(tenant_id, *problem))
        seq, digest = link.seq, link.hash
    return Verified(tenant_id, seq, digest, _fault_of_head(connection, tenant_id, seq, digest))


def _problem(link: Link, seq: int, digest: str) -> tuple[int, str] | None:
    if link.seq != seq + 1:
        return seq + 1, "is missing"
    if link.prev_hash != digest:
        return link.seq, f"does not follow row {seq}: one of the two was changed or replaced"
    if hash_of(link) != link.hash:
        return link.seq, "was changed"
    return None


def _fault_of_head(connection: sa.Connection, tenant_id: str, seq: int, digest: str) -> Fault | None:
    head = connection.execute(sa.select(audit_heads).where(audit_heads.c.tenant_id == tenant_id)).one_or_none()
    if head is None:
        return Fault(tenant_id, seq, "is the last one, but the chain's head is missing") if seq else None
    if head.seq > seq:
        return Fault(tenant_id, seq + 1, "is missing")
    if (head.seq, head.hash) != (seq, digest):
        return Fault(tenant_id, seq, "is not the one that the chain ended with")
    return None


def _links(connection: sa.Connection, tenant_id: str) -> Iterator[Link]:
    after = None
    while True:
        query = sa.select(audit_logs).where(audit_logs.c.tenant_id == tenant_id).order_by(audit_logs.c.seq).limit(PAGE)
        rows = connection.execute(query if after is None else query.where(audit_logs.c.seq > after)).mappings().all()
        yield from (Link(**row) for row in rows)
        if len(rows) < PAGE:
            return
        after = rows[-1]["seq"]


def _decoded(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError:
        return {"unreadable": text}  # somebody wrote into it; `verify` will name the row
