"""Quotas hold exactly: under races, across restarts and hubs, at midnight, when plans change and when changes fail."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest
import sqlalchemy as sa
from quota_tenants import PLAN, Clock, OpenStore, Tenant, new_tenant, set_plans

from ringforge_core.audit import read_entries, verify
from ringforge_core.errors import Conflict, LimitReached, NotFound, RingforgeError
from ringforge_core.identity import new_uuid, now
from ringforge_core.identity.tables import agent_sessions, agents, fleets
from ringforge_core.limits import LimitsSettings, Plan, Quotas, read_usage, recount
from ringforge_core.ports.event_bus import ReplayFilter
from ringforge_core.ports.store import Charge, Once, Store, Transaction
from ringforge_core.store import SqlStore
from ringforge_core.testkit.postgres import PostgresServer


def note(tx: Transaction, commands: Sequence[str]) -> list[str | RingforgeError]:
    """A change that is refused when it is told to be."""
    if "raise" in commands:
        raise Conflict(reason="raised")
    return [Conflict(reason="refused") if command == "refuse" else command for command in commands]


def remember(tx: Transaction, commands: Sequence[Charge]) -> list[str | RingforgeError]:
    """Charges by itself, as a write does that finds out only in the transaction how much it adds."""
    return [tx.charge(command) or "stored" for command in commands]


async def used(store: Store, tenant: Tenant, resource: str = "messages_today", *, clock: Clock) -> int:
    usage = await read_usage(store, Quotas(LimitsSettings(), clock=clock), tenant.id)
    return usage.usage[resource].used


async def race(calls: Any) -> tuple[int, list[LimitReached]]:
    """How many went through, and the refusals of the others."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    refusals = [result for result in results if isinstance(result, LimitReached)]
    unexpected = [result for result in results if isinstance(result, BaseException) and result not in refusals]
    assert unexpected == []
    return len(results) - len(refusals), refusals


async def test_d60_of_a_hundred_racing_charges_exactly_37_pass(store: SqlStore, clock: Clock) -> None:
    tenant = await new_tenant(store)
    passed, refusals = await race(store.apply(note, "a", charges=tenant.message()) for _ in range(100))
    assert (passed, len(refusals)) == (37, 63)
    assert refusals[0].as_reply() | {"message": "", "fix": ""} == {
        "reason": "quota_exceeded", "message": "", "fix": "", "resource": "messages_today", "limit": 37, "used": 37,
        "resets_at": "2026-03-02T00:00:00.000000Z",
    }  # fmt: skip
    assert await used(store, tenant, clock=clock) == 37


async def test_d110_two_hubs_on_one_database_share_the_limit(
    postgres: PostgresServer, open_store: OpenStore, clock: Clock
) -> None:
    url = await postgres.new_database()
    one, two = [await open_store(url=url, commit_size=2) for _ in range(2)]  # small, so that commits meet
    for _ in range(3):
        tenant = await new_tenant(one)
        calls = (hub.apply(note, "a", charges=tenant.message()) for _ in range(50) for hub in (one, two))
        passed, refusals = await race(calls)
        assert (passed, len(refusals)) == (37, 63)
        assert await used(two, tenant, clock=clock) == 37


async def test_two_hubs_add_up_what_an_unlimited_tenant_uses(
    postgres: PostgresServer, open_store: OpenStore, clock: Clock
) -> None:
    url = await postgres.new_database()
    one, two = await open_store(url=url), await open_store(url=url)
    tenant = await new_tenant(one, "unlimited")
    for _ in range(5):
        await race(hub.apply(note, "a", charges=tenant.message()) for _ in range(10) for hub in (one, two))
    assert await used(one, tenant, clock=clock) == 100


async def test_a_tenant_uses_up_only_its_own(store: SqlStore, clock: Clock) -> None:
    one, other = await new_tenant(store), await new_tenant(store)
    await race(store.apply(note, "a", charges=one.message()) for _ in range(50))
    assert await store.apply(note, "a", charges=other.message()) == "a"
    assert await used(store, other, clock=clock) == 1


async def test_a_restart_keeps_the_counts(open_store: OpenStore, clock: Clock) -> None:
    first = await open_store()
    tenant = await new_tenant(first)
    await race(first.apply(note, "a", charges=tenant.message()) for _ in range(30))
    await first.close()
    second = await open_store()
    passed, _ = await race(second.apply(note, "a", charges=tenant.message()) for _ in range(30))
    assert passed == 7


async def test_a_day_begins_at_midnight_utc(store: SqlStore, clock: Clock) -> None:
    tenant = await new_tenant(store)
    clock.now = datetime(2026, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC)
    assert (await race(store.apply(note, "a", charges=tenant.message()) for _ in range(40)))[0] == 37
    await store.apply(remember, Charge(tenant.id, "memory_entries", 10))
    clock.now += timedelta(microseconds=1)
    assert await used(store, tenant, clock=clock) == 0
    assert (await race(store.apply(note, "a", charges=tenant.message()) for _ in range(40)))[0] == 37
    with pytest.raises(LimitReached) as refused:
        await store.apply(remember, Charge(tenant.id, "memory_entries"))
    assert "resets_at" not in refused.value.extras


async def test_a_plan_change_keeps_the_counts_and_swaps_the_limits(store: SqlStore, clock: Clock) -> None:
    tenant = await new_tenant(store)
    await race(store.apply(note, "a", charges=tenant.message()) for _ in range(40))
    await store.apply(set_plans, (tenant.id, "pro"))
    assert (await race(store.apply(note, "a", charges=tenant.message()) for _ in range(10)))[0] == 10
    await store.apply(set_plans, (tenant.id, "a plan that nobody knows"))
    assert (await race(store.apply(note, "a", charges=tenant.message()) for _ in range(5)))[0] == 0
    await store.apply(set_plans, (tenant.id, "unlimited"))
    assert (await race(store.apply(note, "a", charges=tenant.message()) for _ in range(5)))[0] == 5
    assert await used(store, tenant, clock=clock) == 52


async def test_d57_what_is_refused_uses_up_nothing(store: SqlStore, clock: Clock) -> None:
    """All at once, so that the refused ones stand between the others in one commit."""
    tenant = await new_tenant(store)
    commands = ["refuse" if n % 2 else f"note {n}" for n in range(100)]
    calls = (store.apply(note, command, charges=tenant.message()) for command in commands)
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(result, str) for result in results) == 37
    assert await used(store, tenant, clock=clock) == 37


async def test_what_fails_uses_up_nothing(store: SqlStore, clock: Clock) -> None:
    tenant = await new_tenant(store)
    commands = ["raise" if n % 10 == 5 else f"note {n}" for n in range(60)]
    calls = (store.apply(note, command, charges=tenant.message()) for command in commands)
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(result, str) for result in results) == 37
    assert {result.reason for result in results if isinstance(result, Conflict)} == {"raised"}
    assert await used(store, tenant, clock=clock) == 37


async def test_a_second_charge_that_does_not_suffice_gives_the_first_back(store: SqlStore, clock: Clock) -> None:
    tenant = await new_tenant(store)
    charges = (*tenant.message(), Charge(tenant.id, "memory_entries", 11))
    with pytest.raises(LimitReached) as refused:
        await store.apply(note, "a", charges=charges)
    assert refused.value.extras["resource"] == "memory_entries"
    assert await used(store, tenant, clock=clock) == 0


async def test_a_repeat_of_an_idempotency_key_uses_up_nothing(store: SqlStore, clock: Clock) -> None:
    tenant = await new_tenant(store)
    once = Once(tenant.id, "ag_1", "note", "k-1", b"same")
    await asyncio.gather(*(store.apply(note, "a", once=once, charges=tenant.message()) for _ in range(50)))
    await store.apply(note, "a", once=once, charges=tenant.message())
    assert await used(store, tenant, clock=clock) == 1


async def test_a_key_that_was_refused_for_its_quota_can_be_tried_again(store: SqlStore, clock: Clock) -> None:
    tenant = await new_tenant(store)
    await race(store.apply(note, "a", charges=tenant.message()) for _ in range(37))
    once = Once(tenant.id, "ag_1", "note", "k-1", b"same")
    with pytest.raises(LimitReached):
        await store.apply(note, "a", once=once, charges=tenant.message())
    clock.now += timedelta(days=1)
    assert await store.apply(note, "a", once=once, charges=tenant.message()) == "a"


async def test_d58_what_is_given_back_is_free_again(store: SqlStore, clock: Clock) -> None:
    tenant = await new_tenant(store)
    entry, gone = Charge(tenant.id, "memory_entries"), Charge(tenant.id, "memory_entries", -1)
    assert (await race(store.apply(remember, entry) for _ in range(20)))[0] == 10
    await asyncio.gather(*(store.apply(remember, gone) for _ in range(4)))
    assert (await race(store.apply(remember, entry) for _ in range(20)))[0] == 4
    assert await used(store, tenant, "memory_entries", clock=clock) == 10


async def test_a_larger_amount_is_taken_whole_or_not_at_all(store: SqlStore, clock: Clock) -> None:
    tenant = await new_tenant(store)
    for amount, passes in [(9, True), (2, False), (1, True), (1, False)]:
        passed, _ = await race([store.apply(remember, Charge(tenant.id, "memory_entries", amount))])
        assert bool(passed) == passes


async def test_d44_a_counter_that_nobody_knows_is_an_error_and_not_a_loop(store: SqlStore) -> None:
    tenant = await new_tenant(store)
    with pytest.raises(RingforgeError, match="no quota 'messages'"):
        await asyncio.wait_for(store.apply(note, "a", charges=(Charge(tenant.id, "messages"),)), 10)


def make_fleets(tx: Transaction, commands: Sequence[Tenant]) -> list[str | RingforgeError]:
    results: list[str | RingforgeError] = []
    for tenant in commands:
        refusal = tx.charge(Charge(tenant.id, "fleets"))
        if refusal is None:
            name = str(uuid4())
            times = {"inserted_at": now(), "updated_at": now()}
            tx.execute(fleets.insert(), {"id": name, "tenant_id": tenant.id, "name": name, **times})
        results.append(refusal or "made")
    return results


async def test_d59_fleets_are_counted_as_they_stand_in_their_table(store: SqlStore, clock: Clock) -> None:
    tenant = await new_tenant(store)
    assert (await race(store.apply(make_fleets, tenant) for _ in range(5)))[0] == 1
    await store.apply(lambda tx, commands: [tx.execute(fleets.delete()).rowcount for _ in commands], None)
    assert (await race(store.apply(make_fleets, tenant) for _ in range(5)))[0] == 2
    assert await used(store, tenant, "fleets", clock=clock) == 2


async def test_d120_two_hubs_do_not_make_one_fleet_too_many(postgres: PostgresServer, open_store: OpenStore) -> None:
    url = await postgres.new_database()
    one, two = await open_store(url=url), await open_store(url=url)
    for _ in range(10):
        tenant = await new_tenant(one)
        passed, _ = await race(hub.apply(make_fleets, tenant) for hub in (one, two) for _ in range(3))
        assert passed == 1


async def warnings(store: Store, tenant: Tenant, fleet_id: str | None = None) -> list[dict[str, Any]]:
    found = await store.events(tenant.id, fleet_id or tenant.fleet_id, ReplayFilter(), topic="system")
    assert {event.push for event in found.events} <= {"system:quota_warning"}
    return [msgspec.json.decode(event.body)["payload"] for event in found.events]


async def test_the_tenant_is_told_at_80_and_95_percent_once_a_day(store: SqlStore, clock: Clock) -> None:
    tenant = await new_tenant(store)
    for day in ("2026-03-02", "2026-03-03"):
        for _ in range(40):
            await race([store.apply(note, "a", charges=tenant.message())])
        told = (await warnings(store, tenant))[-2:]
        common = {"resource": "messages_today", "limit": 37, "resets_at": f"{day}T00:00:00.000000Z"}
        assert told == [{"used": 30, **common}, {"used": 36, **common}]
        clock.now += timedelta(days=1)
    assert len(await warnings(store, tenant)) == 4


async def test_a_race_over_the_thresholds_tells_of_each_once(store: SqlStore) -> None:
    tenant = await new_tenant(store)
    await race(store.apply(note, "a", charges=tenant.message()) for _ in range(100))
    assert [warning["used"] for warning in await warnings(store, tenant)] == [30, 36]


async def test_a_threshold_that_only_refused_changes_reached_is_not_told_of(store: SqlStore) -> None:
    tenant = await new_tenant(store)
    await race(store.apply(note, "a", charges=tenant.message()) for _ in range(29))
    calls = (store.apply(note, "refuse", charges=tenant.message()) for _ in range(8))
    await asyncio.gather(*calls, return_exceptions=True)
    assert await warnings(store, tenant) == []
    await store.apply(note, "a", charges=tenant.message())
    assert [warning["used"] for warning in await warnings(store, tenant)] == [30]


async def test_every_fleet_of_the_tenant_is_told_and_no_other(store: SqlStore) -> None:
    tenant, other = await new_tenant(store), await new_tenant(store)
    await store.apply(make_fleets, tenant)
    await race(store.apply(note, "a", charges=tenant.message()) for _ in range(30))
    own = await store.read(lambda c: c.scalars(sa.select(fleets.c.id).where(fleets.c.tenant_id == tenant.id)).all())
    assert len(own) == 2
    for fleet_id in own:
        assert [told["resource"] for told in await warnings(store, tenant, fleet_id)].count("messages_today") == 1
    assert await warnings(store, other) == []


async def test_what_was_freed_is_warned_of_again(store: SqlStore) -> None:
    """There is no midnight for entries: after less than half were used, the thresholds count anew."""
    tenant = await new_tenant(store)
    for amount in (8, -2, 2, -3, 3, -8, 8):
        await store.apply(remember, Charge(tenant.id, "memory_entries", amount))
    assert [warning["used"] for warning in await warnings(store, tenant)] == [8, 8]
    assert "resets_at" not in (await warnings(store, tenant))[0]


async def test_the_audit_log_tells_of_the_first_refusal_a_day(store: SqlStore, clock: Clock) -> None:
    tenant = await new_tenant(store)
    for _ in range(3):
        await race(store.apply(note, "a", charges=tenant.message()) for _ in range(60))
    (entry,) = await read_entries(store, tenant.id, action="quota.exceeded")
    assert (entry.target_id, entry.metadata) == ("messages_today", {"limit": 37, "used": 37, "window": "2026-03-01"})
    assert [found.fault for found in await verify(store, tenant.id)] == [None]


async def test_a_recount_sets_right_what_a_counter_says(store: SqlStore, clock: Clock) -> None:
    grown, shrunk, gone, right = [await new_tenant(store) for _ in range(4)]
    for tenant, amount in ((shrunk, 9), (gone, 4), (right, 2)):
        await store.apply(remember, Charge(tenant.id, "memory_entries", amount))

    def rows(*counts: tuple[Tenant, int]) -> sa.Select[tuple[str, int]]:
        found = sa.union_all(*(sa.select(sa.literal(tenant.id), sa.literal(count)) for tenant, count in counts)).subquery()
        return sa.select(*found.c)

    await recount(store, {"memory_entries": [rows((grown, 3), (shrunk, 1)), rows((shrunk, 2), (right, 2))]})
    counted = [await used(store, tenant, "memory_entries", clock=clock) for tenant in (grown, shrunk, gone, right)]
    assert counted == [3, 3, 0, 2]


async def test_usage_shows_every_resource_with_its_limit(store: SqlStore, clock: Clock) -> None:
    tenant = await new_tenant(store, "unlimited")
    await store.apply(note, "a", charges=tenant.message(5))
    await store.apply(connect, tenant)
    await store.apply(connect, tenant)
    quotas = Quotas(LimitsSettings(unlimited=Plan(fleets=9)), clock=clock)
    usage = msgspec.to_builtins(await read_usage(store, quotas, tenant.id))
    assert usage == {
        "tenant_id": tenant.id,
        "plan": "unlimited",
        "usage": {
            "connected_agents": {"used": 2, "limit": "unlimited"},
            "messages_today": {"used": 5, "limit": "unlimited"},
            "memory_entries": {"used": 0, "limit": "unlimited"},
            "fleets": {"used": 1, "limit": 9},
            "storage_bytes": {"used": 0, "limit": "unlimited"},
        },
    }
    with pytest.raises(NotFound):
        await read_usage(store, quotas, "no such tenant")


def connect(tx: Transaction, commands: Sequence[Tenant]) -> list[None]:
    """Two sessions of one new agent."""
    for tenant in commands:
        owner = {"tenant_id": tenant.id, "fleet_id": tenant.fleet_id, "agent_id": f"ag_{uuid4()}"}
        times = {"inserted_at": now(), "updated_at": now()}
        tx.execute(agents.insert(), {"id": new_uuid(), "capabilities": [], **owner, **times})
        for _ in range(2):
            tx.execute(agent_sessions.insert(), {"id": new_uuid(), "node": "node-1", "connected_at": now(), **owner})
    return [None] * len(commands)


def test_the_table_of_plans_is_the_one_of_the_protocol() -> None:
    plans = LimitsSettings()
    row = ("connected_agents", "messages_today", "memory_entries", "fleets", "storage_bytes")
    assert [tuple(getattr(plans.plan(name), resource) for resource in row) for name in ("free", "pro", "scale", "?")] == [
        (10, 50_000, 5_000, 1, 1_073_741_824),
        (100, 500_000, 100_000, 5, 26_843_545_600),
        (1_000, 5_000_000, 1_000_000, 25, 268_435_456_000),
        (10, 50_000, 5_000, 1, 1_073_741_824),
    ]
    for name in ("enterprise", "unlimited"):
        assert {plans.plan(name).limit(resource) for resource in row} == {None}
    kept = [plans.plan(name).retention for name in ("free", "pro", "scale", "enterprise", "?")]
    assert kept == [timedelta(days=days) for days in (1, 7, 30, 90, 1)]
    assert plans.plan("unlimited").retention is None
    assert PLAN.limit("storage_bytes") is None
