"""What an agent's developer sees of groups, on a real hub."""

from __future__ import annotations

import asyncio

import pytest
from ringforge import (
    Conflict,
    Forbidden,
    GroupCreated,
    GroupDissolved,
    GroupInvited,
    MemberJoined,
    MemberLeft,
    NotFound,
    RoleChanged,
)


@pytest.fixture
def hub(real_hub):
    return real_hub


async def take(stream, number):
    async with asyncio.timeout(20):
        return [await anext(stream) for _ in range(number)]


async def test_the_life_of_a_group(agent_of):
    async with agent_of("ann") as ann, agent_of("bob") as bob, agent_of("eve") as eve:
        at_bob, told = bob.groups.stream(), bob.groups.changes()
        group = await ann.groups.create("backend", capabilities=["go"], settings={"max_members": 3}, invite=[bob.id])
        assert (group.name, group.type, group.status, group.created_by) == ("backend", "squad", "active", ann.id)
        assert (group.capabilities, group.settings, group.member_count) == (("go",), {"max_members": 3}, 2)
        await eve.groups.join(group.group_id)
        assert {(member.agent_id, member.role) for member in await eve.groups.members(group.group_id)} == {
            (ann.id, "owner"), (bob.id, "member"), (eve.id, "member"),
        }  # fmt: skip
        posted = await ann.groups.message(group.group_id, {"text": "hello"})
        [message] = await take(at_bob, 1)
        assert (message.message_id, message.group_id, message.content) == (
            posted.message_id, group.group_id, {"text": "hello"},
        )  # fmt: skip
        assert (message.sender.name, posted.refused) == ("ann", {})
        await eve.groups.leave(group.group_id)
        await ann.groups.set_role(group.group_id, bob.id, "admin")
        assert [each.group_id for each in await bob.groups.mine()] == [group.group_id]
        assert await eve.groups.mine() == []
        await ann.groups.dissolve(group.group_id, {"done": True})
        assert await bob.groups.list() == []
        assert [each.result for each in await bob.groups.list(status="dissolved")] == [{"done": True}]
        changes = await take(told, 6)
        assert {type(change) for change in changes} == {
            GroupCreated, GroupInvited, MemberJoined, MemberLeft, RoleChanged, GroupDissolved,
        }  # fmt: skip
        assert {change.group_id for change in changes} == {group.group_id}
        assert changes[-1].dissolved_by == ann.id


async def test_refusals_are_typed(agent_of):
    async with agent_of("ann") as ann, agent_of("bob") as bob:
        group = await ann.groups.create("backend")
        with pytest.raises(Conflict, match="name_taken"):
            await bob.groups.create("backend")
        with pytest.raises(Forbidden, match="not_member"):
            await bob.groups.message(group.group_id, "let me in")
        with pytest.raises(Forbidden):
            await bob.groups.dissolve(group.group_id)
        with pytest.raises(NotFound):
            await bob.groups.join("grp_000000000000")
        await ann.groups.dissolve(group.group_id)
        with pytest.raises(Conflict, match="group_dissolved"):
            await bob.groups.join(group.group_id)


async def test_what_was_written_during_an_absence_waits_and_streams_of_one_group_take_theirs_alone(agent_of):
    async with agent_of("ann") as ann:
        async with agent_of("bob") as bob:
            groups = [await ann.groups.create(name, invite=[bob.id]) for name in ("one", "two")]
        for number in range(4):
            await ann.groups.message(groups[number % 2].group_id, number)
        async with agent_of("bob") as back:
            first = back.groups.stream(groups[0].group_id)
            assert [message.content for message in await take(first, 2)] == [0, 2]
            everything = aiter(back.groups)
            assert [message.content for message in await take(everything, 2)] == [1, 3]


async def test_all_groups_are_listed_over_several_pages(agent_of):
    async with agent_of("ann") as ann:
        await asyncio.gather(*(ann.groups.create(f"pod {number}", type="pod") for number in range(201)))
        listed = await ann.groups.list(type="pod")
        assert {group.name for group in listed} == {f"pod {number}" for number in range(201)}
        assert len(listed) == len(await ann.groups.mine()) == 201
        assert await ann.groups.list(type="channel") == []
