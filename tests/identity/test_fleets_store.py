"""Fleets as functions over the store: scoped, counted, and right when two hubs change them at once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
import sqlalchemy as sa

from ringforge_core.errors import RingforgeError
from ringforge_core.identity import HUB, Admission, AgentClaim, Bootstrap, Credentials, Keys, bootstrap
from ringforge_core.identity.agents import move_agent
from ringforge_core.identity.fleet_changes import Fleet
from ringforge_core.identity.fleets import create_fleet, delete_fleet, get_fleet, list_fleets, update_fleet
from ringforge_core.identity.tables import fleets
from ringforge_core.ports.store import Once, Store
from ringforge_core.store import SqlStore


async def refusal(attempt: Coroutine[Any, Any, Any]) -> str:
    with pytest.raises(RingforgeError) as caught:
        await attempt
    return caught.value.reason


async def names(store: Store, tenant: Bootstrap) -> set[str]:
    return {fleet.name for fleet in (await list_fleets(store, tenant.tenant_id)).items}


async def test_a_fleet_is_made_changed_and_deleted(store: Store, acme: Bootstrap) -> None:
    made = await create_fleet(store, acme.tenant_id, name="lab", description="the lab", actor=HUB)
    found = await get_fleet(store, acme.tenant_id, made.id)
    assert (found.name, found.description, found.agent_count, found.squad_count) == ("lab", "the lab", 0, 0)
    assert found.inserted_at == found.updated_at == made.inserted_at
    renamed = await update_fleet(store, acme.tenant_id, made.id, name="laboratory", actor=HUB)
    assert (renamed.name, renamed.description) == ("laboratory", "the lab")
    assert renamed.updated_at > made.updated_at
    assert (await update_fleet(store, acme.tenant_id, made.id, description=None, actor=HUB)).description is None
    assert (await delete_fleet(store, acme.tenant_id, made.id, actor=HUB)).name == "laboratory"
    assert await names(store, acme) == {"default"}


async def test_d04_another_tenants_fleet_is_not_there(store: Store, acme: Bootstrap, globex: Bootstrap) -> None:
    await create_fleet(store, globex.tenant_id, name="second", actor=HUB)
    for attempt in (
        get_fleet(store, acme.tenant_id, globex.fleet_id),
        update_fleet(store, acme.tenant_id, globex.fleet_id, name="mine", actor=HUB),
        delete_fleet(store, acme.tenant_id, globex.fleet_id, actor=HUB),
        create_fleet(store, "no such tenant", name="x", actor=HUB),
    ):
        assert await refusal(attempt) == "not_found"
    assert await names(store, globex) == {"default", "second"}


async def test_a_name_is_given_once_in_a_tenant(store: Store, acme: Bootstrap, globex: Bootstrap) -> None:
    lab = await create_fleet(store, acme.tenant_id, name="lab", actor=HUB)
    assert await refusal(create_fleet(store, acme.tenant_id, name="lab", actor=HUB)) == "create_failed"
    assert await refusal(update_fleet(store, acme.tenant_id, lab.id, name="default", actor=HUB)) == "update_failed"
    await update_fleet(store, acme.tenant_id, lab.id, name="lab", actor=HUB)  # its own name is no other's
    await create_fleet(store, globex.tenant_id, name="lab", actor=HUB)


async def test_a_fleet_with_agents_and_the_last_one_stay(store: Store, admission: Admission, acme: Bootstrap) -> None:
    assert await refusal(delete_fleet(store, acme.tenant_id, acme.fleet_id, actor=HUB)) == "last_fleet"
    lab = await create_fleet(store, acme.tenant_id, name="lab", actor=HUB)
    agent = await admission.admit(Credentials(api_key=acme.agent_key, agent=AgentClaim(name="scout")), address=None)
    assert await refusal(delete_fleet(store, acme.tenant_id, acme.fleet_id, actor=HUB)) == "has_agents"
    assert {fleet.name: fleet.agent_count for fleet in (await list_fleets(store, acme.tenant_id)).items} == {
        "lab": 0, "default": 1,
    }  # fmt: skip
    await move_agent(store, acme.tenant_id, agent.agent_id, lab.id, actor=HUB)
    await delete_fleet(store, acme.tenant_id, acme.fleet_id, actor=HUB)
    assert await refusal(delete_fleet(store, acme.tenant_id, lab.id, actor=HUB)) == "has_agents"


async def test_a_fleets_keys_go_with_it(store: Store, admission: Admission, acme: Bootstrap) -> None:
    lab = await create_fleet(store, acme.tenant_id, name="lab", actor=HUB)
    key = await Keys(store).create(acme.tenant_id, kind="live", fleet_id=lab.id)
    await delete_fleet(store, acme.tenant_id, lab.id, actor=HUB)
    assert await refusal(admission.check_key(key.key)) == "invalid_api_key"


async def test_a_repeat_gets_the_first_fleet(store: Store, acme: Bootstrap) -> None:
    once = Once(acme.tenant_id, "admin", "fleets", "key-1", b"print")
    first = await create_fleet(store, acme.tenant_id, name="lab", actor=HUB, once=once)
    again = await create_fleet(store, acme.tenant_id, name="lab", actor=HUB, once=once)
    assert again == first
    assert type(again) is Fleet


async def test_fleets_are_listed_by_pages_newest_first(store: Store, acme: Bootstrap, globex: Bootstrap) -> None:
    made = [(await create_fleet(store, acme.tenant_id, name=f"fleet {number}", actor=HUB)).id for number in range(4)]
    seen, cursor = [], None
    while True:
        page = await list_fleets(store, acme.tenant_id, cursor=cursor, limit=2)
        assert 1 <= len(page.items) <= 2
        seen += [fleet.id for fleet in page.items]
        if (cursor := page.cursor) is None:
            break
    assert seen == [*reversed(made), acme.fleet_id]
    for bad in ("", "bm90aGluZw==", "ÄÖÜ", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5Ong="):
        assert await refusal(list_fleets(store, acme.tenant_id, cursor=bad)) == "invalid_cursor", bad


async def test_d120_of_two_hubs_that_delete_the_last_two_fleets_one_is_refused(postgres_url: str) -> None:
    here, there = SqlStore(postgres_url), SqlStore(postgres_url)
    for hub in (here, there):
        await hub.open()
    for round_ in range(5):
        tenant = await bootstrap(here, tenant=f"deleting {round_}")
        second = await create_fleet(here, tenant.tenant_id, name="second", actor=HUB)
        results = await asyncio.gather(
            delete_fleet(here, tenant.tenant_id, tenant.fleet_id, actor=HUB),
            delete_fleet(there, tenant.tenant_id, second.id, actor=HUB),
            return_exceptions=True,
        )
        assert sorted(getattr(result, "reason", "deleted") for result in results) == ["deleted", "last_fleet"]
        query = sa.select(sa.func.count()).select_from(fleets).where(fleets.c.tenant_id == tenant.tenant_id)
        assert await here.read(lambda connection, query=query: connection.scalar(query)) == 1
    for hub in (here, there):
        await hub.close()


async def test_d120_of_two_hubs_that_give_one_name_one_is_refused(postgres_url: str) -> None:
    here, there = SqlStore(postgres_url), SqlStore(postgres_url)
    for hub in (here, there):
        await hub.open()
    tenant = await bootstrap(here, tenant="naming")
    for round_ in range(5):
        results = await asyncio.gather(
            *(create_fleet(hub, tenant.tenant_id, name=f"lab {round_}", actor=HUB) for hub in (here, there)),
            return_exceptions=True,
        )
        assert sorted(getattr(result, "reason", "created") for result in results) == ["create_failed", "created"]
    for hub in (here, there):
        await hub.close()
