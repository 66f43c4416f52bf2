"""The audit log is written with the deed, and whoever changes, takes out or moves a row of it is found."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from ringforge_core.audit import Verified, read_entries, verify
from ringforge_core.audit.chain import Link, hash_of
from ringforge_core.audit.tables import audit_heads, audit_logs
from ringforge_core.errors import Conflict, RingforgeError
from ringforge_core.plugin.schema import microseconds
from ringforge_core.ports.store import AuditEntry, Store, Transaction
from ringforge_core.store import SqlStore
from ringforge_core.testkit.postgres import PostgresServer

ACME, GLOBEX = "tenant-acme", "tenant-globex"


def an_entry(tenant_id: str = ACME, action: str = "thing.done", **fields: Any) -> AuditEntry:
    given: dict[str, Any] = {"actor_type": "agent", "actor_id": "ag_1", "address": "192.0.2.7", **fields}
    return AuditEntry(tenant_id=tenant_id, action=action, **given)


def do(tx: Transaction, commands: Sequence[AuditEntry]) -> list[str | RingforgeError]:
    """A deed that is entered; some of them are refused, or fail after the entry."""
    results: list[str | RingforgeError] = []
    for command in commands:
        if command.action == "refused":
            results.append(Conflict())
            continue
        tx.audit(command)
        if command.action == "failed":
            raise Conflict
        results.append("done")
    return results


async def fill(store: Store, *, count: int = 10) -> None:
    for n in range(count):
        await store.apply(do, an_entry(metadata={"n": n}))
        await store.apply(do, an_entry(GLOBEX, metadata={"n": n}))


async def tamper(store: Store, *statements: sa.Executable) -> None:
    def run(tx: Transaction, commands: Sequence[None]) -> list[None]:
        for statement in statements:
            tx.execute(statement)
        return [None] * len(commands)

    await store.apply(run, None)


def row(seq: int) -> sa.ColumnElement[bool]:
    return sa.and_(audit_logs.c.tenant_id == ACME, audit_logs.c.seq == seq)


async def link(store: Store, seq: int) -> Link:
    query = sa.select(audit_logs).where(row(seq))
    return await store.read(lambda connection: Link(**connection.execute(query).mappings().one()))


async def fault(store: Store) -> tuple[int, str] | None:
    """Where acme's log is broken; globex's must be whole whatever was done to acme's."""
    acme, globex = await verify(store)
    assert (globex.tenant_id, globex.fault) == (GLOBEX, None)
    return None if acme.fault is None else (acme.fault.seq, acme.fault.problem)


async def test_each_tenant_has_a_chain_of_its_own(store: SqlStore) -> None:
    await fill(store)
    acme, globex = await verify(store)
    assert (acme.seq, globex.seq, acme.fault, globex.fault) == (10, 10, None, None)
    assert acme.head != globex.head
    assert [entry.seq for entry in await read_entries(store, ACME, limit=100)] == list(range(10, 0, -1))


async def test_an_entry_tells_who_did_what_from_where_to_what(store: SqlStore) -> None:
    given = an_entry(action="key.made", target_type="api_key", target_id="k-1", metadata={"ü": ["x", 1, None, {"b": 0.1}]})
    await store.apply(do, given)
    (entry,) = await read_entries(store, ACME)
    assert (entry.action, entry.actor_type, entry.actor_id, entry.ip_address) == ("key.made", "agent", "ag_1", "192.0.2.7")
    assert (entry.target_type, entry.target_id, entry.metadata) == ("api_key", "k-1", given.metadata)


async def test_the_hash_is_the_one_that_is_documented(store: SqlStore) -> None:
    """Computed here with nothing of the hub's, as an auditor would."""
    await store.apply(do, an_entry(target_type="a", metadata={"z": 1, "ä": "😀"}))
    found = await store.read(lambda connection: connection.execute(sa.select(audit_logs)).one())
    deed = ["thing.done", "agent", "ag_1", "a", None, "192.0.2.7", '{"z":1,"ä":"😀"}']
    text = json.dumps(["0" * 64, ACME, 1, microseconds(found.at), *deed], ensure_ascii=False, separators=(",", ":"))
    assert found.hash == hashlib.sha256(text.encode()).hexdigest()


async def test_d42_a_deed_that_fails_leaves_no_entry_and_one_that_is_done_has_one(store: SqlStore) -> None:
    actions = random.Random(3).choices(["thing.done", "refused", "failed"], [6, 2, 1], k=60)  # noqa: S311 — repeatable
    calls = (store.apply(do, an_entry(action=action)) for action in actions)
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [result == "done" for result in results] == [action == "thing.done" for action in actions]
    (found,) = await verify(store)
    assert (found.seq, found.fault) == (actions.count("thing.done"), None)


async def test_entries_stand_in_the_order_of_the_deeds(store: SqlStore) -> None:
    await asyncio.gather(*(store.apply(do, an_entry(metadata={"n": n})) for n in range(200)))
    assert [entry.metadata["n"] for entry in await read_entries(store, ACME, limit=300)] == list(range(199, -1, -1))


async def test_two_hubs_write_one_chain(postgres: PostgresServer, open_store: Callable[..., Awaitable[SqlStore]]) -> None:
    url = await postgres.new_database()
    hubs = [await open_store(url, commit_size=2) for _ in range(2)]  # small, so that commits meet
    for _ in range(10):
        tenants = [ACME, GLOBEX]
        entries = [an_entry(tenants[(n + h) % 2]) for n in range(20) for h in range(2)]
        await asyncio.gather(*(hubs[n % 2].apply(do, entry) for n, entry in enumerate(entries)))
    assert [(found.seq, found.fault) for found in await verify(hubs[0])] == [(200, None), (200, None)]


async def test_pages_follow_each_other(store: SqlStore) -> None:
    await fill(store, count=7)
    pages, before = [], None
    while page := await read_entries(store, ACME, before_seq=before, limit=3):
        pages.append([entry.seq for entry in page])
        before = page[-1].seq
    assert pages == [[7, 6, 5], [4, 3, 2], [1]]
    assert await read_entries(store, ACME, action="nothing.such") == []


CHANGES: dict[str, Any] = {
    "action": "thing.undone", "actor_type": "system", "actor_id": "ag_2", "target_type": "x", "target_id": "y",
    "ip_address": None, "metadata": '{"n":99}', "metadata without sense": "x", "prev_hash": "f" * 64, "hash": "f" * 64,
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("seq", [1, 4, 10])
async def test_a_changed_row_is_found_and_named(store: SqlStore, change: str, seq: int) -> None:
    await fill(store)
    await tamper(store, audit_logs.update().where(row(seq)).values({change.partition(" ")[0]: CHANGES[change]}))
    found = await fault(store)
    assert found is not None
    assert found[0] == seq
    assert len(await read_entries(store, ACME, limit=100)) == 10


async def test_a_changed_instant_is_found(store: SqlStore) -> None:
    await fill(store)
    (fifth,) = [entry for entry in await read_entries(store, ACME) if entry.seq == 5]
    await tamper(store, audit_logs.update().where(row(5)).values(at=fifth.at - timedelta(microseconds=1)))
    assert await fault(store) == (5, "was changed")


@pytest.mark.parametrize("seq", [1, 4, 10])
async def test_a_missing_row_is_found_and_named(store: SqlStore, seq: int) -> None:
    await fill(store)
    await tamper(store, audit_logs.delete().where(row(seq)))
    assert await fault(store) == (seq, "is missing")


async def test_a_log_that_was_emptied_is_found(store: SqlStore) -> None:
    await fill(store)
    await tamper(store, audit_logs.delete().where(audit_logs.c.tenant_id == ACME))
    assert await fault(store) == (1, "is missing")


async def test_a_log_without_its_head_is_found(store: SqlStore) -> None:
    await fill(store)
    await tamper(store, audit_heads.delete().where(audit_heads.c.tenant_id == ACME))
    found = await fault(store)
    assert found is not None
    assert found[0] == 10


async def test_reordered_rows_are_found(store: SqlStore) -> None:
    await fill(store)
    steps = [(4, 99), (5, 4), (99, 5)]
    await tamper(store, *(audit_logs.update().where(row(before)).values(seq=after) for before, after in steps))
    found = await fault(store)
    assert found is not None
    assert found[0] == 4


async def test_a_row_that_was_changed_with_its_hash_is_found(store: SqlStore) -> None:
    """The forger knows how hashes are made, but does not rewrite all that follows."""
    await fill(store)
    forged = msgspec.structs.replace(await link(store, 4), actor_id="somebody else")
    await tamper(store, audit_logs.update().where(row(4)).values(actor_id=forged.actor_id, hash=hash_of(forged)))
    assert await fault(store) == (5, "does not follow row 4: one of the two was changed or replaced")


async def test_a_row_that_was_added_is_found(store: SqlStore) -> None:
    await fill(store)
    last = await link(store, 10)
    forged = msgspec.structs.replace(last, seq=11, prev_hash=last.hash)
    forged = msgspec.structs.replace(forged, hash=hash_of(forged))
    await tamper(store, audit_logs.insert().values(msgspec.structs.asdict(forged)))
    assert await fault(store) == (11, "is not the one that the chain ended with")


texts = some.text(some.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
values = some.recursive(
    some.none()
    | some.booleans()
    | some.integers(-(2**53), 2**53)
    | some.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
entries = some.builds(
    AuditEntry,
    tenant_id=some.sampled_from([ACME, GLOBEX, "tenant-three"]),
    action=texts, actor_type=texts, actor_id=texts, target_type=some.none() | texts, target_id=some.none() | texts,
    address=some.none() | texts, metadata=some.dictionaries(texts, values, max_size=3),
)  # fmt: skip


async def test_any_entries_make_whole_chains_and_any_loss_breaks_one(store: SqlStore) -> None:
    batches: list[list[AuditEntry]] = []

    @settings(max_examples=60, database=None, suppress_health_check=list(HealthCheck))
    @given(some.lists(entries, min_size=1, max_size=8))
    def collect(batch: list[AuditEntry]) -> None:
        batches.append(batch)

    collect()
    written: dict[str, list[AuditEntry]] = {}
    for batch in batches:
        await asyncio.gather(
            *(store.apply(do, msgspec.structs.replace(entry, action="!" + entry.action)) for entry in batch)
        )
        for entry in batch:
            written.setdefault(entry.tenant_id, []).append(entry)
    found: dict[str, Verified] = {each.tenant_id: each for each in await verify(store)}
    assert {tenant: (each.seq, each.fault) for tenant, each in found.items()} == {
        tenant: (len(entries), None) for tenant, entries in written.items()
    }
    for tenant, entered in written.items():
        read = await read_entries(store, tenant, limit=1_000)
        assert [entry.metadata for entry in reversed(read)] == [entry.metadata for entry in entered]
    for tenant, entered in written.items():
        lost = len(entered) // 2 + 1
        await tamper(store, audit_logs.delete().where(audit_logs.c.tenant_id == tenant, audit_logs.c.seq == lost))
        (broken,) = await verify(store, tenant)
        assert broken.fault is not None
        assert broken.fault.seq == lost
