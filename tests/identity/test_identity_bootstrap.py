from __future__ import annotations

import asyncio
from collections.abc import Sequence

import sqlalchemy as sa

from ringforge_core.identity import Admission, bootstrap, first_start, new_uuid, now
from ringforge_core.identity.tables import api_keys, fleets, tenants
from ringforge_core.ports.store import Store, Transaction


async def count(store: Store, table: sa.Table) -> int:
    return await store.read(lambda c: c.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


async def test_the_first_start_makes_a_tenant_that_agents_can_join(store: Store) -> None:
    made = await first_start(store)
    assert made is not None
    assert made.created
    assert made.admin_key.startswith("rf_admin_")
    assert (await Admission(store).check_key(made.agent_key)).fleet_id == made.fleet_id
    assert not {made.admin_key, made.agent_key} & set(repr(made).split("'"))
    assert await first_start(store) is None
    assert await count(store, api_keys) == 2


async def test_a_hub_with_any_tenant_has_had_its_first_start(store: Store) -> None:
    await bootstrap(store, tenant="acme")
    assert await first_start(store) is None
    assert await count(store, tenants) == 1


async def test_a_later_bootstrap_finds_the_tenant_and_makes_new_keys(store: Store) -> None:
    first = await bootstrap(store, tenant="acme")
    other = await bootstrap(store, tenant="globex")
    again = await bootstrap(store, tenant="acme")
    assert (first.created, again.created) == (True, False)
    assert (again.tenant_id, again.fleet_id) == (first.tenant_id, first.fleet_id)
    assert again.tenant_id != other.tenant_id
    assert len({first.agent_key, again.agent_key, first.admin_key, again.admin_key}) == 4
    for made in (first, again):
        assert (await Admission(store).check_key(made.agent_key)).tenant_id == first.tenant_id


async def test_processes_that_bootstrap_at_once_make_one_tenant(store: Store, other_process: Store) -> None:
    made = await asyncio.gather(*(bootstrap(hub, tenant="acme") for hub in (store, other_process) for _ in range(5)))
    assert len({result.tenant_id for result in made}) == 1
    assert len({result.fleet_id for result in made}) == 1
    assert [result.created for result in made].count(True) == 1
    assert await count(store, fleets) == 1


async def test_of_hubs_that_start_first_at_once_one_gets_the_keys(store: Store, other_process: Store) -> None:
    made = await asyncio.gather(*(first_start(hub) for hub in (store, other_process) for _ in range(5)))
    assert len([result for result in made if result is not None]) == 1
    assert await count(store, api_keys) == 2


def sign_up(transaction: Transaction, names: Sequence[str]) -> list[str]:
    ids = [new_uuid() for _ in names]
    for tenant_id, name in zip(ids, names, strict=True):
        transaction.execute(tenants.insert().values(id=tenant_id, name=name, inserted_at=now(), updated_at=now()))
    return ids


async def test_a_customer_who_calls_himself_default_is_not_given_the_operators_keys(store: Store) -> None:
    customer = await store.apply(sign_up, "default")
    made = await bootstrap(store)
    assert made.created
    assert made.tenant_id != customer
