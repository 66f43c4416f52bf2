"""What happens to groups by itself: idle pods end, ownerless groups get an owner, dissolved ones are forgotten."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from group_fleet import GroupAgent, GroupFleet

from ringforge_core.identity import delete_agent
from ringforge_core.identity.actor import HUB

pytestmark = pytest.mark.asyncio(loop_scope="module")

IDLE = 1.0
KEEP = 2.0
SETTINGS = {
    "RINGFORGE__CAPABILITIES__GROUPS__IDLE_POD_SECONDS": str(IDLE),
    "RINGFORGE__CAPABILITIES__GROUPS__KEEP_DISSOLVED_SECONDS": str(KEEP),
    "RINGFORGE__CAPABILITIES__GROUPS__SWEEP_SECONDS": "0.05",
}


async def listed(agent: GroupAgent, **fields: Any) -> set[str]:
    return {group["name"] for group in (await agent.ok("list", **fields))["groups"]}


async def test_an_idle_pod_dissolves_and_other_groups_stay(fleet: GroupFleet) -> None:
    owner = await fleet.join("owner")
    for type_ in ("squad", "pod", "channel"):
        await owner.create(type_, type=type_)
    ended = await owner.told("dissolved")
    assert (ended["dissolved_by"], ended["result"]) == ("system", None)
    assert await listed(owner) == {"squad", "channel"}
    assert await listed(owner, status="dissolved") == {"pod"}


async def test_messages_and_changes_of_members_keep_a_pod_alive(fleet: GroupFleet) -> None:
    owner, member = await fleet.join("owner"), await fleet.join("member")
    talking = await owner.create("talking", type="pod")
    changing = await owner.create("changing", type="pod")
    silent = await owner.create("silent", type="pod")
    at_work = asyncio.get_running_loop().time() + 3 * IDLE
    while asyncio.get_running_loop().time() < at_work:
        await owner.say(talking, "still here")
        await member.ok("join", group_id=changing)
        await member.ok("leave", group_id=changing)
        await asyncio.sleep(IDLE / 10)
    assert owner.heard("dissolved", group_id=silent)
    assert await listed(owner) == {"talking", "changing"}
    for group_id in (talking, changing):
        await owner.told("dissolved", group_id=group_id)


async def test_a_dissolved_group_is_forgotten_after_a_time(fleet: GroupFleet) -> None:
    owner = await fleet.join("owner")
    group_id = await owner.create("short-lived")
    await owner.ok("dissolve", group_id=group_id, result="kept for a while")
    assert await listed(owner, status="dissolved") == {"short-lived"}
    await asyncio.wait_for(_nothing_dissolved(owner), 10)
    assert await owner.refused("members", group_id=group_id) == "not_found"


async def test_d79_groups_of_a_deleted_agent_get_an_owner_or_end(fleet: GroupFleet) -> None:
    heir = await fleet.join("heir")
    doomed = await fleet.join("doomed")
    shared = await doomed.create("shared", invite=[heir.id])
    alone = await doomed.create("alone")
    await delete_agent(fleet.store, fleet.keys.tenant_id, doomed.id, actor=HUB)
    assert (await heir.told("role_changed", group_id=shared))["agent_id"] == heir.id
    assert (await heir.told("dissolved", group_id=alone))["dissolved_by"] == "system"
    assert await heir.roles(shared) == {heir.id: "owner"}


async def _nothing_dissolved(agent: GroupAgent) -> None:
    while True:
        if not await listed(agent, status="dissolved"):
            return
        await asyncio.sleep(0.05)
