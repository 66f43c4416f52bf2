"""Squads as administration makes and fills them; the agents see the same groups."""

from __future__ import annotations

from uuid import uuid4

import pytest
import sqlalchemy as sa
from group_fleet import GroupFleet, enter

from ringforge_core.errors import Conflict, InvalidPayload, LimitReached, NotFound, Refused
from ringforge_core.identity.actor import Actor
from ringforge_core.identity.agents import delete_agent, move_agent
from ringforge_core.mesh.groups.administration import SquadAssignment, assign_agent, create_squad, remove_agent
from ringforge_core.mesh.groups.squads import Squad, SquadOverview, read_squads, squads_of_agents
from ringforge_core.mesh.groups.tables import groups
from ringforge_core.ports.event_bus import ReplayFilter
from ringforge_core.ports.store import Once

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = Actor("key", "an admin key", "192.0.2.1")


async def make(fleet: GroupFleet, name: str = "squad", **fields: object) -> Squad:
    return await create_squad(fleet.store, fleet.keys.tenant_id, fleet.keys.fleet_id, name=name, actor=KEY, **fields)  # type: ignore[arg-type]


async def assign(fleet: GroupFleet, squad: Squad, agent_id: str) -> SquadAssignment:
    return await assign_agent(fleet.store, fleet.keys.tenant_id, squad.id, agent_id, actor=KEY)


async def remove(fleet: GroupFleet, squad: Squad, agent_id: str) -> SquadAssignment:
    return await remove_agent(fleet.store, fleet.keys.tenant_id, squad.id, agent_id, actor=KEY)


async def squads(fleet: GroupFleet) -> list[SquadOverview]:
    return await fleet.store.read(lambda connection: read_squads(connection, fleet.keys.tenant_id, fleet.keys.fleet_id))


async def test_d80_a_squad_made_by_administration_is_led_by_who_comes_first_and_stays_when_empty(fleet: GroupFleet) -> None:
    first, second = await fleet.join("first"), await fleet.join("second")
    squad = await make(fleet, capabilities=["http"], settings={"max_members": 2})
    created = await first.told("created", group_id=squad.group_id)
    assert (created["created_by"], created["member_count"], created["capabilities"]) == (None, 0, ["http"])
    at = {"fleet_id": fleet.keys.fleet_id, "squad_id": squad.id}
    assert await assign(fleet, squad, first.id) == SquadAssignment(agent_id=first.id, **at)
    assert await assign(fleet, squad, first.id) == SquadAssignment(agent_id=first.id, **at), "again changes nothing"
    await second.ok("join", group_id=squad.group_id)
    assert await first.roles(squad.group_id) == {first.id: "owner", second.id: "member"}
    assert await remove(fleet, squad, first.id) == SquadAssignment(
        agent_id=first.id, fleet_id=fleet.keys.fleet_id, squad_id=None
    )
    assert await second.roles(squad.group_id) == {second.id: "owner"}
    await remove(fleet, squad, second.id)
    await first.told("member_left", agent_id=second.id)
    assert [push["agent_id"] for push in first.heard("member_left")] == [first.id, second.id]
    (overview,) = await squads(fleet)
    assert (overview.member_count, overview.agents, overview.status) == (0, [], "active")
    await assign(fleet, squad, second.id)
    assert await first.roles(squad.group_id) == {second.id: "owner"}


async def test_d80_who_is_taken_out_of_a_squad_is_out_of_it_at_once(fleet: GroupFleet) -> None:
    stays, goes = await fleet.join("stays"), await fleet.join("goes")
    squad = await make(fleet)
    for agent in (stays, goes):
        await assign(fleet, squad, agent.id)
    await remove(fleet, squad, goes.id)
    assert await goes.refused("message", group_id=squad.group_id, message="still here?") == "not_member"
    await stays.say(squad.group_id, "without you")
    await stays.told("message", message="without you")
    assert goes.messages() == []
    assert await goes.ok("my_groups") == {"groups": []}


async def test_d80_the_overview_the_list_and_the_agents_squad_come_from_the_members(fleet: GroupFleet) -> None:
    first, second = await fleet.join("first"), await fleet.join("second")
    older, newer = await make(fleet, "older"), await make(fleet, "newer")
    await first.ok("join", group_id=older.group_id)
    await assign(fleet, newer, first.id)
    await assign(fleet, older, second.id)
    await second.create("pod", type="pod", invite=[first.id])
    await second.ok("dissolve", group_id=await second.create("dissolved squad", invite=[first.id]))
    overviews = await squads(fleet)
    assert [(squad.name, [member.agent_id for member in squad.agents], squad.member_count) for squad in overviews] == [
        ("newer", [first.id], 1),
        ("older", [first.id, second.id], 2),
    ]
    found = await fleet.store.read(
        lambda connection: squads_of_agents(connection, fleet.keys.tenant_id, fleet.keys.fleet_id)
    )
    assert found == {first.id: newer.id, second.id: older.id}
    assert (await remove(fleet, newer, first.id)).squad_id == older.id


async def test_d05_what_is_not_the_tenants_or_does_not_fit_is_refused(
    fleet: GroupFleet, sister_fleet: GroupFleet, other_fleet: GroupFleet
) -> None:
    agent, sister, stranger = (
        await fleet.join("agent"),
        await sister_fleet.join("sister"),
        await other_fleet.join("stranger"),
    )
    squad, foreign = await make(fleet), await make(other_fleet)
    pod = await agent.create("pod", type="pod")
    full = await make(fleet, "full", settings={"max_members": 1})
    await assign(fleet, full, agent.id)

    async def reason(error: type[Refused], squad_id: str, agent_id: str) -> str:
        with pytest.raises(error) as refusal:
            await assign_agent(fleet.store, fleet.keys.tenant_id, squad_id, agent_id, actor=KEY)
        return refusal.value.reason

    for squad_id in (foreign.id, str(uuid4()), "no uuid", squad.group_id):
        for agent_id in (agent.id, stranger.id):
            assert await reason(NotFound, squad_id, agent_id) == "squad_not_found"
    for agent_id in (stranger.id, "ag_nobody"):
        assert await reason(NotFound, squad.id, agent_id) == "agent_not_found"
    assert await reason(InvalidPayload, squad.id, sister.id) == "fleet_mismatch"
    assert await reason(InvalidPayload, await row_id(fleet, pod), agent.id) == "invalid"
    second = await fleet.joined_and_gone("second")
    assert await reason(LimitReached, full.id, second) == "group_full"
    await agent.ok("dissolve", group_id=full.group_id)
    assert await reason(Conflict, full.id, second) == "group_dissolved"
    for foreign_id in (stranger.id, "ag_nobody", agent.id):
        with pytest.raises(NotFound):
            await remove(fleet, squad, foreign_id)
    with pytest.raises(NotFound):
        await create_squad(fleet.store, fleet.keys.tenant_id, other_fleet.keys.fleet_id, name="theirs", actor=KEY)
    with pytest.raises(Conflict):
        await make(fleet)
    assert await stranger.ok("my_groups") == {"groups": []}
    assert [each.name for each in await squads(other_fleet)] == ["squad"]
    assert (
        await fleet.store.read(lambda connection: read_squads(connection, fleet.keys.tenant_id, other_fleet.keys.fleet_id))
        == []
    )


async def row_id(fleet: GroupFleet, group_id: str) -> str:
    query = sa.select(groups.c.id).where(groups.c.group_id == group_id)
    found: str = await fleet.store.read(lambda connection: connection.execute(query).scalar_one())
    return found


async def test_a_repeat_with_the_same_key_makes_one_squad(fleet: GroupFleet) -> None:
    once = Once(fleet.keys.tenant_id, "an admin key", "POST squads", "k1", b"fingerprint")
    first = await make(fleet, once=once)
    assert await make(fleet, once=once) == first
    assert len(await squads(fleet)) == 1


async def test_d80_an_agent_that_is_moved_to_another_fleet_leaves_its_groups_behind(
    fleet: GroupFleet, sister_fleet: GroupFleet
) -> None:
    owner = await fleet.join("owner")
    async with fleet.socket("mover") as client:
        mover = await enter(client)
        group_id = await owner.create("home", invite=[mover.id])
        own = await mover.create("own")
    await move_agent(fleet.store, fleet.keys.tenant_id, mover.id, sister_fleet.keys.fleet_id, actor=KEY)
    assert await owner.roles(group_id) == {owner.id: "owner"}, "already before it is back"
    assert {group["member_count"] for group in (await owner.ok("list"))["groups"]} == {1}
    await owner.say(group_id, "not for you")
    moved = await sister_fleet.join("mover")
    assert moved.id == mover.id
    for left in (group_id, own):
        await owner.told("member_left", group_id=left, agent_id=mover.id)
    await owner.told("dissolved", group_id=own)
    assert await moved.ok("my_groups") == {"groups": []}
    assert await moved.refused("message", group_id=group_id, message="hello?") == "not_found"
    assert moved.messages() == []


@pytest.mark.parametrize("moves", [True, False], ids=["moved", "deleted"])
async def test_d79_the_commit_that_takes_an_agent_away_tells_its_groups(
    fleet: GroupFleet, sister_fleet: GroupFleet, moves: bool
) -> None:
    owner = await fleet.join("owner")
    going = await fleet.join("going")
    shared = await going.create("shared", invite=[owner.id])
    alone = await going.create("alone")
    tenant_id, fleet_id = fleet.keys.tenant_id, fleet.keys.fleet_id
    before = (await fleet.store.position(tenant_id, fleet_id)).seq
    if moves:
        await move_agent(fleet.store, tenant_id, going.id, sister_fleet.keys.fleet_id, actor=KEY)
    else:
        await delete_agent(fleet.store, tenant_id, going.id, actor=KEY)
    page = await fleet.store.events(tenant_id, fleet_id, ReplayFilter(limit=100))
    told = {event.push for event in page.events if event.seq > before}
    assert told - {"agent:departed"} == {"group:dissolved", "group:member_left", "group:role_changed"}
    assert await owner.roles(shared) == {owner.id: "owner"}
    for group_id in (shared, alone):
        await owner.told("member_left", group_id=group_id, agent_id=going.id)
    await owner.told("dissolved", group_id=alone)
