"""Agents as functions over the store, for administration and profiles alike."""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from ringforge_core.errors import InvalidPayload, RingforgeError
from ringforge_core.identity import HUB, Admission, AgentClaim, Bootstrap, Credentials, Keys, Sessions
from ringforge_core.identity.agents import (
    AgentPatch,
    delete_agent,
    delete_ghost_agents,
    get_agent,
    list_agents,
    move_agent,
    update_agent,
)
from ringforge_core.identity.fleets import create_fleet
from ringforge_core.identity.grants import grant_fleet_admin, is_fleet_admin
from ringforge_core.identity.reach import may_change_fleet
from ringforge_core.plugin.capability import AgentSession
from ringforge_core.ports.event_bus import ReplayFilter
from ringforge_core.ports.store import Once, Store


async def refusal(attempt: Coroutine[Any, Any, Any]) -> str:
    with pytest.raises(RingforgeError) as caught:
        await attempt
    return caught.value.reason


async def register(admission: Admission, tenant: Bootstrap, name: str | None, *, key: str | None = None) -> AgentSession:
    return await admission.admit(Credentials(api_key=key or tenant.agent_key, agent=AgentClaim(name=name)), address=None)


async def heard(store: Store, tenant: Bootstrap, fleet_id: str) -> list[tuple[str, dict[str, Any]]]:
    page = await store.events(tenant.tenant_id, fleet_id, ReplayFilter(), topic="agents")
    return [(event.push, msgspec.json.decode(event.body)["payload"]) for event in page.events]


async def test_a_change_is_stored_and_its_fleet_hears_of_it(store: Store, admission: Admission, acme: Bootstrap) -> None:
    scout = await register(admission, acme, "scout")
    patch = AgentPatch(name="ranger", tags=["a"], metadata={"team": "red"}, description="looks around")
    changed = await update_agent(store, acme.tenant_id, scout.agent_id, patch, actor=HUB)
    assert (changed.name, changed.tags, changed.metadata, changed.fleet_name) == (
        "ranger", ["a"], {"team": "red"}, "default",
    )  # fmt: skip
    assert await get_agent(store, acme.tenant_id, changed.id) == changed
    ((push, profile),) = await heard(store, acme, acme.fleet_id)
    assert push == "agent:profile_updated"
    assert (profile["agent_id"], profile["name"], profile["description"]) == (scout.agent_id, "ranger", "looks around")
    assert await update_agent(store, acme.tenant_id, scout.agent_id, AgentPatch(), actor=HUB) == changed
    assert len(await heard(store, acme, acme.fleet_id)) == 1


async def test_the_hubs_own_metadata_is_not_for_writing_and_stays(
    store: Store, admission: Admission, acme: Bootstrap
) -> None:
    scout = await register(admission, acme, "scout")
    await admission.update_profile(scout, model="opus")
    for reserved in ("fleet_admin", "model"):
        with pytest.raises(InvalidPayload) as refused:
            AgentPatch(metadata={reserved: True})
        assert (refused.value.reason, refused.value.extras["field"]) == ("validation_failed", "metadata")
    changed = await update_agent(store, acme.tenant_id, scout.agent_id, AgentPatch(metadata={"team": "red"}), actor=HUB)
    assert changed.metadata == {"team": "red", "model": "opus"}


async def test_a_name_that_another_agent_of_the_fleet_has_is_refused(
    store: Store, admission: Admission, acme: Bootstrap, globex: Bootstrap
) -> None:
    scout, _ = await register(admission, acme, "scout"), await register(admission, acme, "boss")
    await register(admission, globex, "chief")
    boss = AgentPatch(name="boss", framework="crew")
    assert await refusal(update_agent(store, acme.tenant_id, scout.agent_id, boss, actor=HUB)) == "name_conflict"
    assert (await get_agent(store, acme.tenant_id, scout.agent_id)).framework is None
    await update_agent(store, acme.tenant_id, scout.agent_id, AgentPatch(name="chief"), actor=HUB)


async def test_d08_another_tenants_or_fleets_agent_is_not_there(
    store: Store, admission: Admission, acme: Bootstrap, globex: Bootstrap
) -> None:
    foreign = await register(admission, globex, "scout")
    mine = await register(admission, acme, "scout")
    lab = await create_fleet(store, acme.tenant_id, name="lab", actor=HUB)
    for attempt in (
        get_agent(store, acme.tenant_id, foreign.agent_id),
        get_agent(store, acme.tenant_id, mine.agent_id, fleet_id=lab.id),
        update_agent(store, acme.tenant_id, foreign.agent_id, AgentPatch(name="x"), actor=HUB),
        move_agent(store, acme.tenant_id, foreign.agent_id, lab.id, actor=HUB),
        delete_agent(store, acme.tenant_id, foreign.agent_id, actor=HUB),
        grant_fleet_admin(store, acme.tenant_id, foreign.agent_id, granted=True, actor=HUB),
    ):
        assert await refusal(attempt) == "agent_not_found"
    assert {agent.agent_id for agent in (await list_agents(store, acme.tenant_id)).items} == {mine.agent_id}
    assert (await list_agents(store, acme.tenant_id, fleet_id=lab.id)).items == []
    assert not await is_fleet_admin(store, globex.tenant_id, foreign.agent_id)


async def test_agents_are_listed_by_pages_newest_first(store: Store, admission: Admission, acme: Bootstrap) -> None:
    made = [(await register(admission, acme, f"agent {number}")).agent_id for number in range(5)]
    seen, cursor = [], None
    while True:
        page = await list_agents(store, acme.tenant_id, cursor=cursor, limit=2)
        seen += [agent.agent_id for agent in page.items]
        if (cursor := page.cursor) is None:
            break
    assert seen == made[::-1]


async def test_d81_a_move_takes_the_agent_and_tells_both_fleets(
    store: Store, admission: Admission, acme: Bootstrap
) -> None:
    scout = await register(admission, acme, "scout")
    lab = await create_fleet(store, acme.tenant_id, name="lab", actor=HUB)
    once = Once(acme.tenant_id, "admin", "move", "key-1", b"print")
    moved = await move_agent(store, acme.tenant_id, scout.agent_id, lab.id, actor=HUB, once=once)
    assert (moved.agent.fleet_id, moved.agent.fleet_name, moved.from_fleet_id) == (lab.id, "lab", acme.fleet_id)
    assert await move_agent(store, acme.tenant_id, scout.agent_id, lab.id, actor=HUB, once=once) == moved
    departed, arrived = {"target_fleet_id": lab.id}, {"from_fleet_id": acme.fleet_id}
    assert await heard(store, acme, acme.fleet_id) == [("agent:departed", {"agent_id": scout.agent_id, **departed})]
    assert await heard(store, acme, lab.id) == [("agent:arrived", {"agent_id": scout.agent_id, **arrived})]
    resumed = await admission.admit(Credentials(api_key=acme.agent_key, agent_id=scout.agent_id), address=None)
    assert resumed.fleet_id == lab.id


async def test_a_move_that_cannot_be_is_refused_and_changes_nothing(
    store: Store, admission: Admission, acme: Bootstrap, globex: Bootstrap
) -> None:
    lab = await create_fleet(store, acme.tenant_id, name="lab", actor=HUB)
    in_lab = await register(admission, acme, "scout")
    await move_agent(store, acme.tenant_id, in_lab.agent_id, lab.id, actor=HUB)
    scout = await register(admission, acme, "scout")
    for fleet_id, reason in (
        (lab.id, "name_conflict"), (acme.fleet_id, "same_fleet"), (globex.fleet_id, "fleet_not_found"),
        ("nowhere", "fleet_not_found"),
    ):  # fmt: skip
        assert await refusal(move_agent(store, acme.tenant_id, scout.agent_id, fleet_id, actor=HUB)) == reason
    assert (await get_agent(store, acme.tenant_id, scout.agent_id)).fleet_id == acme.fleet_id
    assert len(await heard(store, acme, lab.id)) == 1
    assert await heard(store, globex, globex.fleet_id) == []


async def test_a_key_for_one_fleet_keeps_its_agents_there(store: Store, admission: Admission, acme: Bootstrap) -> None:
    key = await Keys(store).create(acme.tenant_id, kind="live", fleet_id=acme.fleet_id)
    kept, free = await register(admission, acme, "kept", key=key.key), await register(admission, acme, "free")
    assert not await may_change_fleet(store, kept)
    assert await may_change_fleet(store, free)
    await grant_fleet_admin(store, acme.tenant_id, kept.agent_id, granted=True, actor=HUB)
    assert await may_change_fleet(store, kept)
    await grant_fleet_admin(store, acme.tenant_id, kept.agent_id, granted=False, actor=HUB)
    assert not await may_change_fleet(store, kept)


async def test_d83_the_cleanup_finds_ghosts_and_nobody_else(
    store: Store, admission: Admission, acme: Bootstrap, globex: Bootstrap
) -> None:
    ghost, joined, foreign = [await register(admission, tenant, None) for tenant in (acme, acme, globex)]
    named = await register(admission, acme, "named")
    await Sessions(store, node="one").open(joined)
    assert await delete_ghost_agents(store, acme.tenant_id, actor=HUB) == 0  # it may still be on the way in
    assert await delete_ghost_agents(store, acme.tenant_id, actor=HUB, older_than=timedelta()) == 1
    left = {agent.agent_id for agent in (await list_agents(store, acme.tenant_id)).items}
    assert left == {joined.agent_id, named.agent_id}
    assert ghost.agent_id not in left
    assert len((await list_agents(store, globex.tenant_id)).items) == 1
    assert foreign.agent_id
