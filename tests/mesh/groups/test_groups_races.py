"""Many agents that want the same of one group at once, and what bounds them."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from group_fleet import GroupFleet, settled

from ringforge_core.identity.actor import Actor
from ringforge_core.identity.ids import now
from ringforge_core.mesh.groups.creation import Creation, make_groups
from ringforge_core.mesh.groups.rules import GROUPS_AT_MOST, GroupRules

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_50_agents_that_join_at_once_fill_a_group_of_20_exactly(fleet: GroupFleet) -> None:
    owner = await fleet.join("owner")
    group_id = await owner.create("crowded", settings={"max_members": 20})
    agents = await asyncio.gather(*(fleet.join(f"agent-{number}") for number in range(50)))
    answers = await asyncio.gather(*(agent.client.call("group:join", {"group_id": group_id}) for agent in agents))
    assert sorted(answer.status for answer in answers) == ["error"] * 31 + ["ok"] * 19
    assert {answer.response["reason"] for answer in answers if answer.status == "error"} == {"group_full"}
    members = await owner.roles(group_id)
    assert len(members) == 20
    assert set(members) - {owner.id} == {
        agent.id for agent, answer in zip(agents, answers, strict=True) if answer.status == "ok"
    }
    await settled(owner)
    assert len(owner.heard("member_joined")) == 19


async def test_of_many_that_make_a_group_of_one_name_at_once_one_does(fleet: GroupFleet) -> None:
    agents = await asyncio.gather(*(fleet.join(f"agent-{number}") for number in range(8)))
    answers = await asyncio.gather(*(agent.client.call("group:create", {"name": "the one"}) for agent in agents))
    assert sorted(answer.status for answer in answers) == ["error"] * 7 + ["ok"]
    assert {answer.response["reason"] for answer in answers if answer.status == "error"} == {"name_taken"}
    assert len((await agents[0].ok("list"))["groups"]) == 1


async def test_when_all_leave_at_once_the_group_has_an_owner_to_the_end(fleet: GroupFleet) -> None:
    agents = await asyncio.gather(*(fleet.join(f"agent-{number}") for number in range(10)))
    group_id = await agents[0].create("brief", invite=[agent.id for agent in agents])
    await asyncio.gather(*(agent.ok("leave", group_id=group_id) for agent in agents))
    ended = await agents[0].told("dissolved", group_id=group_id)
    assert ended["dissolved_by"] == "system"
    assert await agents[0].roles(group_id) == {}
    assert len(agents[0].heard("member_left")) == 10


async def test_a_fleet_has_so_many_groups_and_no_more(fleet: GroupFleet, sister_fleet: GroupFleet) -> None:
    agent, sister = await fleet.join("agent"), await sister_fleet.join("sister")
    old = await agent.create("old")
    await _fill_up(fleet, agent.id)
    error = await agent.client.refused("group:create", {"name": "one more"})
    assert (error["reason"], error["limit"]) == ("too_many_groups", GROUPS_AT_MOST)
    await sister.create("another fleet's")
    await agent.ok("dissolve", group_id=old)
    await agent.create("one more")


async def _fill_up(fleet: GroupFleet, agent_id: str) -> None:
    """All groups but one that the fleet can have, without the time that it takes to ask for them."""
    group = Creation(
        tenant_id=fleet.keys.tenant_id, fleet_id=fleet.keys.fleet_id, actor=Actor("agent", agent_id), name="", type="squad",
        capabilities=(), settings={}, rules=GroupRules(), invite=(), at=now(),
    )  # fmt: skip
    groups = [msgspec.structs.replace(group, name=f"group {number}") for number in range(GROUPS_AT_MOST - 1)]
    await asyncio.gather(*(fleet.store.apply(make_groups, each) for each in groups))
