from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from ringforge_core.errors import InvalidPayload, NotFound, RingforgeError, Unauthenticated
from ringforge_core.identity import (
    HUB,
    Admission,
    AgentClaim,
    Bootstrap,
    Credentials,
    Keys,
    bootstrap,
    delete_agent,
    describe_key,
    new_uuid,
    now,
)
from ringforge_core.identity.tables import agents, fleets, tenants
from ringforge_core.plugin.capability import AgentSession
from ringforge_core.ports.store import Store, Transaction
from ringforge_core.store import SqlStore

KEY_A, KEY_B = b"a" * 32, b"b" * 32


def run(transaction: Transaction, statements: Sequence[sa.Executable]) -> list[None]:
    for statement in statements:
        transaction.execute(statement)
    return [None] * len(statements)


async def new_fleet(store: Store, tenant_id: str, name: str) -> str:
    fleet_id = new_uuid()
    row = {"id": fleet_id, "tenant_id": tenant_id, "name": name, "inserted_at": now(), "updated_at": now()}
    await store.apply(run, fleets.insert().values(row))
    return fleet_id


async def stored(store: Store, agent_id: str) -> Any:
    query = sa.select(agents).where(agents.c.agent_id == agent_id)
    return await store.read(lambda connection: connection.execute(query).mappings().one())


async def register(admission: Admission, tenant: Bootstrap, **claim: Any) -> AgentSession:
    credentials = Credentials(api_key=tenant.agent_key, agent=AgentClaim(**claim))
    return await admission.admit(credentials, address="192.0.2.7")


async def resume(admission: Admission, api_key: str, agent_id: str) -> AgentSession:
    return await admission.admit(Credentials(api_key=api_key, agent_id=agent_id), address=None)


async def refusal(attempt: Any) -> RingforgeError:
    with pytest.raises(RingforgeError) as refused:
        await attempt
    return refused.value


# --- registration ---------------------------------------------------------------------------------------------------


async def test_registration_gives_a_session_and_stores_the_agent(
    store: Store, admission: Admission, acme: Bootstrap
) -> None:
    session = await register(admission, acme, name="scout", framework="crew", capabilities=("read", "write"))
    row = await stored(store, session.agent_id)
    assert (session.tenant_id, session.fleet_id) == (row["tenant_id"], row["fleet_id"]) == (acme.tenant_id, acme.fleet_id)
    assert (session.name, session.framework, session.capabilities) == ("scout", "crew", ("read", "write"))
    assert (session.method, session.address) == ("api_key", "192.0.2.7")
    assert row["registered_via_key_id"] == session.key_id
    assert row["last_seen_at"] is not None


async def test_d29_a_known_name_is_the_same_agent_again(
    store: Store, admission: Admission, acme: Bootstrap, globex: Bootstrap
) -> None:
    first = await register(admission, acme, name="scout", framework="crew", capabilities=("read",))
    foreign = await register(admission, globex, name="scout")
    again = await register(admission, acme, name="scout", capabilities=("write",))
    assert again.agent_id == first.agent_id != foreign.agent_id
    assert (again.framework, again.capabilities) == ("crew", ("write",)), "what is not said keeps what is stored"
    assert again.session_id != first.session_id
    assert (await stored(store, first.agent_id))["total_connections"] == 2
    assert (await stored(store, foreign.agent_id))["tenant_id"] == globex.tenant_id


async def test_agents_without_a_name_are_always_new(admission: Admission, acme: Bootstrap) -> None:
    sessions = await asyncio.gather(*(register(admission, acme) for _ in range(20)))
    assert len({session.agent_id for session in sessions}) == 20


async def test_d120_one_new_name_at_once_is_one_agent_and_every_connection_counts(
    store: Store, admission: Admission, acme: Bootstrap, globex: Bootstrap
) -> None:
    sessions = await asyncio.gather(
        *(register(admission, tenant, name="scout") for _ in range(50) for tenant in (acme, globex))
    )
    by_tenant = {session.tenant_id: session.agent_id for session in sessions}
    assert len({session.agent_id for session in sessions}) == 2
    for agent_id in by_tenant.values():
        assert (await stored(store, agent_id))["total_connections"] == 50


async def test_d120_two_hubs_that_meet_the_same_names_make_each_agent_once(
    store: Store, other_process: Store, acme: Bootstrap
) -> None:
    names = [f"agent-{index}" for index in range(100)]
    here, there = await asyncio.gather(
        asyncio.gather(*(register(Admission(store), acme, name=name) for name in names)),
        asyncio.gather(*(register(Admission(other_process), acme, name=name) for name in reversed(names))),
    )
    assert {s.name: s.agent_id for s in here} == {s.name: s.agent_id for s in there}
    counts = await store.read(lambda c: c.scalars(sa.select(agents.c.total_connections)).all())
    assert counts == [2] * 100


async def test_d20_a_public_key_is_not_replaced_by_an_api_key(store: Store, admission: Admission, acme: Bootstrap) -> None:
    session = await register(admission, acme, name="scout")
    await register(admission, acme, name="scout", public_key=KEY_A)
    await register(admission, acme, name="scout", public_key=KEY_B)
    assert (await stored(store, session.agent_id))["public_key"] == KEY_A
    nameless = await register(admission, acme, public_key=KEY_B)
    assert (await stored(store, nameless.agent_id))["public_key"] == KEY_B


async def test_a_disabled_agent_is_not_let_in(store: Store, admission: Admission, acme: Bootstrap) -> None:
    session = await register(admission, acme, name="scout")
    await store.apply(run, agents.update().where(agents.c.agent_id == session.agent_id).values(disabled_at=now()))
    assert (await refusal(register(admission, acme, name="scout"))).reason == "invalid_agent"
    assert (await refusal(resume(admission, acme.agent_key, session.agent_id))).reason == "invalid_agent"


async def test_a_deleted_agent_is_gone_and_its_name_is_free(
    store: Store, admission: Admission, acme: Bootstrap, globex: Bootstrap
) -> None:
    session = await register(admission, acme, name="scout")
    assert isinstance(await refusal(delete_agent(store, globex.tenant_id, session.agent_id, actor=HUB)), NotFound)
    await delete_agent(store, acme.tenant_id, session.agent_id, actor=HUB)
    assert isinstance(await refusal(delete_agent(store, acme.tenant_id, session.agent_id, actor=HUB)), NotFound)
    assert (await refusal(resume(admission, acme.agent_key, session.agent_id))).reason == "invalid_agent"
    assert (await register(admission, acme, name="scout")).agent_id != session.agent_id


# --- reconnect ------------------------------------------------------------------------------------------------------


async def test_reconnect_resumes_the_stored_agent(store: Store, admission: Admission, acme: Bootstrap) -> None:
    first = await register(admission, acme, name="scout", framework="crew", capabilities=("read",))
    again = await resume(admission, acme.agent_key, first.agent_id)
    assert (again.agent_id, again.fleet_id, again.name) == (first.agent_id, first.fleet_id, "scout")
    assert (again.framework, again.capabilities) == ("crew", ("read",))
    row = await stored(store, first.agent_id)
    assert (row["total_connections"], row["auth_mode"]) == (2, "reconnect")


async def test_d19_a_foreign_agent_cannot_be_told_from_an_unknown_one(
    admission: Admission, acme: Bootstrap, globex: Bootstrap
) -> None:
    foreign = await register(admission, globex, name="scout")
    refused = await refusal(resume(admission, acme.agent_key, foreign.agent_id))
    assert refused.reason == "invalid_agent"
    assert refused.as_reply() == (await refusal(resume(admission, acme.agent_key, "ag_000000000000"))).as_reply()
    both = await asyncio.gather(
        resume(admission, acme.agent_key, foreign.agent_id),
        resume(admission, globex.agent_key, foreign.agent_id),
        return_exceptions=True,
    )
    assert isinstance(both[0], Unauthenticated)
    assert isinstance(both[1], AgentSession)


async def test_d19_a_key_for_one_fleet_resumes_only_its_agents(
    store: Store, admission: Admission, keys: Keys, acme: Bootstrap
) -> None:
    lab = await new_fleet(store, acme.tenant_id, "lab")
    lab_key = (await keys.create(acme.tenant_id, kind="test", fleet_id=lab)).key
    in_default = await register(admission, acme, name="scout")
    in_lab = await admission.admit(Credentials(api_key=lab_key, agent=AgentClaim(name="scout")), address=None)
    assert in_lab.fleet_id == lab
    assert in_lab.agent_id != in_default.agent_id
    assert (await refusal(resume(admission, lab_key, in_default.agent_id))).reason == "invalid_agent"
    assert (await resume(admission, acme.agent_key, in_lab.agent_id)).fleet_id == lab


# --- keys -----------------------------------------------------------------------------------------------------------


async def test_d19_admin_keys_are_not_for_agents(admission: Admission, acme: Bootstrap) -> None:
    registration = Credentials(api_key=acme.admin_key, agent=AgentClaim(name="scout"))
    assert (await refusal(admission.admit(registration, address=None))).reason == "wrong_key_type"
    assert (await refusal(admission.check_key(acme.admin_key))).reason == "wrong_key_type"


async def test_a_good_key_tells_what_it_opens(
    store: Store, admission: Admission, acme: Bootstrap, globex: Bootstrap
) -> None:
    for tenant, name in ((acme, "acme"), (globex, "globex")):
        holder = await admission.check_key(tenant.agent_key)
        assert (holder.kind, holder.tenant_id, holder.fleet_id) == ("live", tenant.tenant_id, tenant.fleet_id)
        described = await describe_key(store, holder)
        assert (described.tenant_name, described.plan, described.fleet_name) == (name, "unlimited", "default")


async def test_bad_keys_all_get_one_answer(
    store: Store, admission: Admission, keys: Keys, acme: Bootstrap, globex: Bootstrap
) -> None:
    revoked = await keys.create(acme.tenant_id, kind="live")
    await keys.revoke(acme.tenant_id, revoked.id)
    expiring = await keys.create(acme.tenant_id, kind="live", expires_at=now() + timedelta(milliseconds=50))
    await asyncio.sleep(0.06)
    await store.apply(run, tenants.update().where(tenants.c.id == globex.tenant_id).values(suspended_at=now()))
    bad = ["", "rf_live_unknown", "\ud800", acme.agent_key[:-1], revoked.key, expiring.key, globex.agent_key]
    answers = [(await refusal(admission.check_key(key))).as_reply() for key in bad]
    assert answers[0]["reason"] == "invalid_api_key"
    assert answers == [answers[0]] * len(bad)
    assert await admission.check_key(acme.agent_key)


async def test_d27_a_revoked_key_lets_nobody_in_any_more(
    admission: Admission, keys: Keys, other_process: Store, acme: Bootstrap
) -> None:
    key = await keys.create(acme.tenant_id, kind="live")
    await admission.check_key(key.key)
    await Keys(other_process).revoke(acme.tenant_id, key.id)
    async with asyncio.timeout(3):
        while True:
            try:
                await admission.check_key(key.key)
            except Unauthenticated:
                return
            await asyncio.sleep(0.05)


async def test_one_who_hangs_up_does_not_fail_the_others_that_wait_for_the_same_key(
    admission: Admission, acme: Bootstrap
) -> None:
    impatient = asyncio.create_task(admission.check_key(acme.agent_key))
    patient = asyncio.create_task(admission.check_key(acme.agent_key))
    await asyncio.sleep(0)
    impatient.cancel()
    assert (await patient).tenant_id == acme.tenant_id


@pytest.mark.parametrize(
    ("credentials", "reason"),
    [
        (Credentials(), "missing_credentials"),
        (Credentials(agent_id="ag_1"), "missing_credentials"),
        (Credentials(agent_id="ag_1", challenge_response=b"x" * 64), "invalid_challenge"),
    ],
)
async def test_without_a_key_nobody_gets_in(admission: Admission, credentials: Credentials, reason: str) -> None:
    assert (await refusal(admission.admit(credentials, address=None))).reason == reason


# --- profile --------------------------------------------------------------------------------------------------------


async def test_d23_a_name_that_another_agent_has_is_not_taken(
    store: Store, admission: Admission, acme: Bootstrap, globex: Bootstrap
) -> None:
    await register(admission, acme, name="boss")
    await register(admission, globex, name="free here")
    scout = await register(admission, acme, name="scout")
    clashed = await admission.update_profile(scout, name="boss", framework="crew", capabilities=["read"])
    assert (clashed.name, clashed.framework, clashed.capabilities) == ("scout", "crew", ("read",))
    renamed = await admission.update_profile(scout, name="free here")
    assert (renamed.name, renamed.framework) == ("free here", "crew")
    assert (await stored(store, scout.agent_id))["name"] == "free here"


async def test_d23_many_that_want_one_name_at_once_leave_it_with_one(
    store: Store, other_process: Store, acme: Bootstrap
) -> None:
    here, there = Admission(store), Admission(other_process)
    sessions = [await register(here, acme, name=f"agent-{index}") for index in range(20)]
    renamed = await asyncio.gather(
        *((here, there)[i % 2].update_profile(session, name="boss") for i, session in enumerate(sessions))
    )
    names = [session.name for session in renamed]
    assert names.count("boss") == 1
    assert [(await stored(store, session.agent_id))["name"] for session in sessions] == names


async def test_d23_a_name_that_another_hub_gives_away_in_this_moment_is_not_taken(postgres_url: str) -> None:
    store = SqlStore(postgres_url)
    await store.open()
    admission, acme = Admission(store), await bootstrap(store, tenant="renaming")
    here, there = [await register(admission, acme, name=name) for name in ("here", "there")]
    other_hub = create_async_engine(sa.make_url(postgres_url).set(drivername="postgresql+asyncpg"))
    async with other_hub.connect() as connection:
        await connection.execute(agents.update().where(agents.c.agent_id == there.agent_id).values(name="boss"))
        renaming = asyncio.create_task(admission.update_profile(here, name="boss"))
        async with asyncio.timeout(5):
            while not await store.read(somebody_waits):  # noqa: ASYNC110 — the database has no event to wait on
                await asyncio.sleep(0.01)
        await connection.commit()
    await other_hub.dispose()
    assert (await renaming).name == "here"
    assert (await stored(store, here.agent_id))["name"] == "here"
    await store.close()


def somebody_waits(connection: sa.Connection) -> bool:
    query = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return bool(connection.scalar(sa.text(query)))


async def test_what_is_not_said_stays_and_what_is_the_same_is_not_written(
    store: Store, admission: Admission, acme: Bootstrap
) -> None:
    scout = await register(admission, acme, name="scout", framework="crew", capabilities=("read",))
    before = await stored(store, scout.agent_id)
    same = await admission.update_profile(scout, name="scout", framework="crew", capabilities=["read"])
    assert same == scout
    assert await admission.update_profile(scout) == scout
    assert await stored(store, scout.agent_id) == before


async def test_the_model_is_kept_beside_other_metadata(store: Store, admission: Admission, acme: Bootstrap) -> None:
    scout = await register(admission, acme, name="scout")
    of_scout = agents.c.agent_id == scout.agent_id
    await store.apply(run, agents.update().where(of_scout).values(metadata={"team": "red"}))
    await admission.update_profile(scout, model="opus")
    assert (await stored(store, scout.agent_id))["metadata"] == {"team": "red", "model": "opus"}


async def test_a_profile_of_another_tenants_agent_cannot_be_written(
    store: Store, admission: Admission, acme: Bootstrap, globex: Bootstrap
) -> None:
    foreign = await register(admission, globex, name="scout")
    mine = await register(admission, acme, name="mine")
    mine.agent_id = foreign.agent_id
    stolen, own = await asyncio.gather(
        admission.update_profile(mine, name="stolen"),
        admission.update_profile(foreign, framework="crew"),
        return_exceptions=True,
    )
    assert isinstance(stolen, NotFound)
    assert isinstance(own, AgentSession)
    assert (await stored(store, foreign.agent_id))["name"] == "scout"


@pytest.mark.parametrize(
    "profile",
    [{"name": "n" * 101}, {"framework": 7}, {"capabilities": ["ok", 7]}, {"name": "a\x00b"}, {"model": "m" * 101}],
)
async def test_a_profile_of_wrong_types_or_lengths_is_refused(
    admission: Admission, acme: Bootstrap, profile: dict[str, Any]
) -> None:
    scout = await register(admission, acme, name="scout")
    assert isinstance(await refusal(admission.update_profile(scout, **profile)), InvalidPayload)
