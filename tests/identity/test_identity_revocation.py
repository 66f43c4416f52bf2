from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ringforge_core.identity import (
    HUB,
    Admission,
    AgentClaim,
    Bootstrap,
    Credentials,
    Keys,
    RevocationWatch,
    delete_agent,
    now,
)
from ringforge_core.identity.agents import move_agent
from ringforge_core.identity.fleets import create_fleet
from ringforge_core.identity.tables import agents, tenants
from ringforge_core.plugin.capability import AgentSession
from ringforge_core.ports.store import Store, Transaction


class Told:
    """Notes what the watch tells; `fault` makes the next call fail as a broken receiver would."""

    def __init__(self) -> None:
        self.keys: set[str] = set()
        self.agents: set[str] = set()
        self.moved: dict[str, str] = {}
        self.tenants: set[str] = set()
        self.fault = False
        self._called = asyncio.Event()

    def __call__(self, keys: set[str], agents: set[str], tenants: set[str], asked_at: float) -> None:
        if self.fault:
            self.fault = False
            raise RuntimeError("the receiver broke")
        self.keys |= keys
        self.agents |= agents
        self.tenants |= tenants
        self._called.set()

    def of_moves(self, moved: dict[str, str], asked_at: float) -> None:
        self.moved.update(moved)
        self._called.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                self._called.clear()
                await self._called.wait()


def run(transaction: Transaction, statements: Sequence[sa.Executable]) -> list[None]:
    for statement in statements:
        transaction.execute(statement)
    return [None] * len(statements)


async def admit(store: Store, tenant: Bootstrap, name: str) -> AgentSession:
    credentials = Credentials(api_key=tenant.agent_key, agent=AgentClaim(name=name))
    return await Admission(store).admit(credentials, address=None)


@pytest.fixture
async def told(store: Store) -> AsyncIterator[Told]:
    told = Told()
    watch = RevocationWatch(store, told, told.of_moves, interval=0.05)
    await watch.start()
    yield told
    await watch.stop()


async def test_d27_a_key_revoked_by_another_process_is_told_and_no_other(
    told: Told, other_process: Store, acme: Bootstrap, globex: Bootstrap
) -> None:
    keys = Keys(other_process)
    revoked, kept = [await keys.create(acme.tenant_id, kind="live") for _ in range(2)]
    foreign = await keys.create(globex.tenant_id, kind="live")
    await keys.revoke(acme.tenant_id, revoked.id)
    await told.until(lambda: revoked.id in told.keys)
    assert not {kept.id, foreign.id} & told.keys
    assert told.agents == told.tenants == set()


async def test_d27_a_key_is_told_when_it_expires_and_not_before(told: Told, keys: Keys, acme: Bootstrap) -> None:
    expires_at = now() + timedelta(seconds=0.5)
    key = await keys.create(acme.tenant_id, kind="live", expires_at=expires_at)
    later = await keys.create(acme.tenant_id, kind="live", expires_at=now() + timedelta(hours=1))
    await told.until(lambda: key.id in told.keys)
    assert now() >= expires_at
    assert later.id not in told.keys


async def test_d27_deleted_and_disabled_agents_and_suspended_tenants_are_told(
    told: Told, store: Store, acme: Bootstrap, globex: Bootstrap
) -> None:
    deleted, disabled, kept = [await admit(store, acme, name) for name in ("deleted", "disabled", "kept")]
    await delete_agent(store, acme.tenant_id, deleted.agent_id, actor=HUB)
    await store.apply(run, agents.update().where(agents.c.agent_id == disabled.agent_id).values(disabled_at=now()))
    await store.apply(run, tenants.update().where(tenants.c.id == globex.tenant_id).values(suspended_at=now()))
    await told.until(lambda: bool(told.tenants) and len(told.agents) == 2)
    assert told.agents == {deleted.agent_id, disabled.agent_id}
    assert told.tenants == {globex.tenant_id}
    assert kept.agent_id not in told.agents


async def test_d81_an_agent_that_was_moved_is_told_with_its_fleet(
    told: Told, other_process: Store, acme: Bootstrap, globex: Bootstrap
) -> None:
    moved, kept, foreign = [await admit(other_process, *who) for who in ((acme, "a"), (acme, "b"), (globex, "a"))]
    target = await create_fleet(other_process, acme.tenant_id, name="target", actor=HUB)
    await move_agent(other_process, acme.tenant_id, moved.agent_id, target.id, actor=HUB)
    await told.until(lambda: bool(told.moved))
    assert told.moved == {moved.agent_id: target.id}
    assert not {kept.agent_id, foreign.agent_id} & told.agents


async def test_d27_a_connection_that_slipped_in_after_the_first_telling_is_told_of_too(
    told: Told, keys: Keys, acme: Bootstrap
) -> None:
    key = await keys.create(acme.tenant_id, kind="live")
    await keys.revoke(acme.tenant_id, key.id)
    await told.until(lambda: key.id in told.keys)
    told.keys.clear()
    await told.until(lambda: key.id in told.keys)


async def test_the_watch_outlives_a_receiver_that_fails(told: Told, keys: Keys, acme: Bootstrap) -> None:
    told.fault = True
    key = await keys.create(acme.tenant_id, kind="live")
    await keys.revoke(acme.tenant_id, key.id)
    await told.until(lambda: key.id in told.keys)
    assert not told.fault


async def test_the_watch_outlives_a_store_that_is_gone_for_a_while(
    told: Told, store: Store, keys: Keys, acme: Bootstrap
) -> None:
    key = await keys.create(acme.tenant_id, kind="live")
    await store.close()
    await asyncio.sleep(0.2)
    await store.open()
    await keys.revoke(acme.tenant_id, key.id)
    await told.until(lambda: key.id in told.keys)


async def test_a_stopped_watch_tells_nothing_and_may_be_stopped_again(store: Store, keys: Keys, acme: Bootstrap) -> None:
    told = Told()
    watch = RevocationWatch(store, told, told.of_moves, interval=0.01)
    await watch.start()
    await watch.stop()
    await watch.stop()
    await keys.revoke(acme.tenant_id, (await keys.create(acme.tenant_id, kind="live")).id)
    await asyncio.sleep(0.1)
    assert told.keys == set()
    assert "ringforge-revocation-watch" not in {task.get_name() for task in asyncio.all_tasks()}
