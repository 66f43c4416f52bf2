"""Profiles, the way to another fleet, and fleets for those who may, on a real hub."""

from __future__ import annotations

import asyncio

import pytest
from ringforge import Conflict, Forbidden, Gap, InvalidPayload, NotFound


@pytest.fixture
def hub(real_hub):
    return real_hub


@pytest.fixture
def fleet_admin(hub):
    """Lets an agent administer fleets."""

    async def grant(agent):
        from ringforge_core.identity.actor import Actor
        from ringforge_core.identity.grants import grant_fleet_admin

        keys = hub.running.keys
        actor = Actor("operator", "test")
        await grant_fleet_admin(hub.running.hub.store, keys.tenant_id, agent.id, granted=True, actor=actor)

    return grant


async def take(stream, number):
    async with asyncio.timeout(20):
        return [await anext(stream) for _ in range(number)]


async def test_a_profile_is_changed_and_seen(agent_of):
    async with agent_of("ann", framework="demo", capabilities=["go"]) as ann, agent_of("bob") as bob:
        changed = await ann.agents.update(
            display_name="Ann", description="Builds", tags=["backend"], metadata={"shift": "night"}
        )
        seen = await bob.agents.get(ann.id)
        assert seen == changed
        assert (seen.name, seen.display_name, seen.description, seen.tags) == ("ann", "Ann", "Builds", ("backend",))
        assert (seen.framework, seen.capabilities, seen.metadata) == ("demo", ("go",), {"shift": "night"})
        assert (await ann.agents.update(description=None)).description is None
        assert (await ann.agents.get()).display_name == "Ann"
        with pytest.raises(InvalidPayload, match="validation_failed"):
            await ann.agents.update(display_name="x" * 101)
        with pytest.raises(NotFound):
            await ann.agents.get("ag_000000000000")
    async with agent_of("eve") as eve:
        assert {profile.name for profile in await eve.agents.list()} == {"ann", "bob", "eve"}


async def test_who_may_administer_fleets_does(agent_of, fleet_admin):
    async with agent_of("ann") as ann:
        with pytest.raises(Forbidden):
            await ann.fleets.list()
        await fleet_admin(ann)
        fleet = await ann.fleets.create("research", "the curious ones")
        assert (fleet.name, fleet.description) == ("research", "the curious ones")
        renamed = await ann.fleets.update(fleet.id, name="lab", description=None)
        assert (renamed.name, renamed.description) == ("lab", None)
        assert {(each.name, each.agent_count) for each in await ann.fleets.list()} == {("default", 1), ("lab", 0)}
        with pytest.raises(Conflict, match="has_agents"):
            await ann.fleets.delete(ann.fleet_id)
        await ann.fleets.delete(fleet.id)
        with pytest.raises(NotFound):
            await ann.fleets.update(fleet.id, name="gone")


async def test_an_agent_moves_to_another_fleet_and_its_streams_with_it(agent_of, fleet_admin):
    async with agent_of("ann") as ann, agent_of("bob") as bob:
        await fleet_admin(ann)
        fleet = await ann.fleets.create("research")
        await bob.activity.subscribe(["deploy"])
        memory = await bob.memory.subscribe("plans/*")
        heard, raw, old_fleet = aiter(bob.activity), bob.events("activity:broadcast"), bob.fleet_id
        await ann.activity.broadcast("custom", "before")
        assert [event.description for event in await take(heard, 1)] == ["before"]
        for number in range(5):
            await ann.memory.set(f"old/{number}", number)
        await bob.agents.migrate(fleet.id)
        assert bob.fleet_id == fleet.id != old_fleet
        await ann.activity.broadcast("custom", "in the old fleet")
        with pytest.raises(NotFound):
            await bob.memory.get("old/1")
        await ann.agents.migrate(fleet.id)
        await ann.activity.broadcast("custom", "in the new fleet")
        await ann.activity.broadcast("custom", "tagged", tags=["deploy"], scope="tagged")
        await ann.memory.set("plans/new", 1)
        assert [event.description for event in await take(heard, 2)] == ["in the new fleet", "tagged"]
        assert [change.key for change in await take(memory, 1)] == ["plans/new"]
        assert not [push for push in await take(raw, 3) if isinstance(push, Gap)]
        with pytest.raises(Conflict, match="same_fleet"):
            await bob.agents.migrate(fleet.id)
        with pytest.raises(NotFound, match="fleet_not_found"):
            await bob.agents.migrate("00000000-0000-4000-8000-000000000000")
