"""Groups with `auto_join`: who becomes a member by itself, and when."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa
from group_fleet import GroupFleet, enter

from ringforge_core.identity.tables import agent_sessions

pytestmark = pytest.mark.asyncio(loop_scope="module")

OPEN = {"auto_join": True}


async def test_agents_that_are_connected_become_members_when_the_group_is_made(
    fleet: GroupFleet, sister_fleet: GroupFleet
) -> None:
    owner, here = await fleet.join("owner"), await fleet.join("here")
    gone = await fleet.joined_and_gone("gone")
    await sister_fleet.join("sister")
    await asyncio.wait_for(_session_closed(fleet, gone), 10)
    group = await owner.ok("create", name="town square", settings=OPEN)
    assert group["member_count"] == 2
    assert await owner.roles(group["group_id"]) == {owner.id: "owner", here.id: "member"}
    assert (await here.told("invite"))["group_id"] == group["group_id"]


async def test_an_agent_that_joins_the_hub_later_becomes_a_member_once(fleet: GroupFleet, other_fleet: GroupFleet) -> None:
    owner = await fleet.join("owner")
    group_id = await owner.create("town square", settings=OPEN)
    closed = await owner.create("closed")
    late = await fleet.join("late")
    await owner.told("member_joined", agent_id=late.id)
    again, stranger = await fleet.join("late"), await other_fleet.join("stranger")
    await owner.say(group_id, "welcome")
    for agent in (late, again):
        await agent.told("message", message="welcome")
    assert owner.heard("member_joined") == [{"group_id": group_id, "agent_id": late.id}]
    assert await owner.roles(group_id) == {owner.id: "owner", late.id: "member"}
    assert late.id not in await owner.roles(closed)
    assert (await stranger.ok("my_groups")) == {"groups": []}


async def test_who_left_is_not_brought_back_by_a_reconnect_but_may_join_again(fleet: GroupFleet) -> None:
    owner = await fleet.join("owner")
    group_id = await owner.create("town square", settings=OPEN)
    async with fleet.socket("hermit") as client:
        hermit = await enter(client)
        await owner.told("member_joined", agent_id=hermit.id)
        await hermit.ok("leave", group_id=group_id)
    hermit = await fleet.join("hermit")
    later = await fleet.join("later")
    await owner.told("member_joined", agent_id=later.id)  # came after the hermit, so the hermit's join is through
    assert await owner.roles(group_id) == {owner.id: "owner", later.id: "member"}
    await hermit.ok("join", group_id=group_id)
    await owner.ok("leave", group_id=group_id)
    hermit = await fleet.join("hermit")
    assert set(await hermit.roles(group_id)) == {later.id, hermit.id}
    await hermit.ok("leave", group_id=group_id)
    assert set(await hermit.roles(group_id)) == {later.id}


async def test_a_full_group_takes_nobody_in_and_nobody_is_refused_the_hub(fleet: GroupFleet) -> None:
    owner = await fleet.join("owner")
    group_id = await owner.create("small square", settings={**OPEN, "max_members": 5})
    agents = await asyncio.gather(*(fleet.join(f"agent-{number}") for number in range(12)))
    witness = await owner.create("witness", settings=OPEN)
    await asyncio.gather(*(agent.ok("my_groups") for agent in agents))
    assert set(await owner.roles(witness)) == {owner.id, *(agent.id for agent in agents)}
    assert len(await owner.roles(group_id)) == 5
    tiny = await owner.ok("create", name="tiny square", settings={**OPEN, "max_members": 3})
    assert tiny["member_count"] == len(await owner.roles(tiny["group_id"])) == 3


async def test_a_dissolved_group_takes_nobody_in(fleet: GroupFleet) -> None:
    owner = await fleet.join("owner")
    group_id = await owner.create("town square", settings=OPEN)
    await owner.ok("dissolve", group_id=group_id)
    next_one = await owner.create("town square", settings=OPEN)
    late = await fleet.join("late")
    assert (await owner.told("member_joined", agent_id=late.id))["group_id"] == next_one
    assert await owner.roles(group_id) == {owner.id: "owner"}


async def _session_closed(fleet: GroupFleet, agent_id: str) -> None:
    """Until the hub has written down that the agent's connection ended."""
    query = sa.select(agent_sessions.c.id).where(
        agent_sessions.c.tenant_id == fleet.keys.tenant_id,
        agent_sessions.c.agent_id == agent_id,
        agent_sessions.c.disconnected_at.is_(None),
    )
    while True:
        if await fleet.store.read(lambda connection: connection.execute(query).first()) is None:
            return
        await asyncio.sleep(0.01)
