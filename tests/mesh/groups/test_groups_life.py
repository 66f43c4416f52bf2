"""Groups from their making to their end, as agents see them; tests with a number keep that defect out."""

from __future__ import annotations

from typing import Any

import pytest
from group_fleet import GroupAgent, GroupFleet, settled

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVENTS = ("join", "leave", "message", "members", "dissolve", "set_role")


async def test_a_group_is_made_with_its_guests_and_the_fleet_is_told(fleet: GroupFleet) -> None:
    owner, guest, bystander = await fleet.join("owner"), await fleet.join("guest"), await fleet.join("bystander")
    asked = {"name": "crawlers", "type": "pod", "capabilities": ["http"], "settings": {"color": ["red", None]}}
    group = await owner.ok("create", **asked, invite=[guest.id, guest.id, owner.id])
    assert group.pop("inserted_at").endswith("Z")
    group_id = group.pop("group_id")
    assert group == {**asked, "status": "active", "created_by": owner.id, "member_count": 2}
    assert group_id.startswith("grp_")
    assert len(group_id) == 16
    for agent in (owner, guest, bystander):
        created = await agent.told("created", group_id=group_id)
        assert (created["name"], created["member_count"], created["settings"]) == ("crawlers", 2, asked["settings"])
    invite = await guest.told("invite")
    assert invite == {"group_id": group_id, "name": "crawlers", "type": "pod", "invited_by": owner.id}
    assert await bystander.roles(group_id) == {owner.id: "owner", guest.id: "member"}
    await settled(owner, bystander)
    assert owner.heard("invite") == bystander.heard("invite") == []


async def test_d52_bad_requests_are_refused_and_the_channel_lives(fleet: GroupFleet) -> None:
    agent = await fleet.join("agent")
    for event, fields, reason, field in (
        ("create", {}, "missing_name", "name"),
        ("create", {"name": ""}, "invalid_payload", "name"),
        ("create", {"name": "x" * 101}, "invalid_payload", "name"),
        ("create", {"name": "nul\x00"}, "invalid_payload", "name"),
        ("create", {"name": 5}, "invalid_payload", "name"),
        ("create", {"name": "n", "type": "party"}, "invalid_type", "type"),
        ("create", {"name": "n", "capabilities": "http"}, "invalid_payload", "capabilities"),
        ("create", {"name": "n", "settings": [1]}, "invalid_payload", "settings"),
        ("create", {"name": "n", "settings": {"max_members": 0}}, "invalid_payload", "settings"),
        ("create", {"name": "n", "settings": {"max_members": "5"}}, "invalid_payload", "settings"),
        ("create", {"name": "n", "settings": {"max_members": 1001}}, "invalid_payload", "settings"),
        ("create", {"name": "n", "settings": {"auto_join": "yes"}}, "invalid_payload", "settings"),
        ("create", {"name": "n", "settings": {"text": "x" * 16_384}}, "payload_too_large", "settings"),
        ("create", {"name": "n", "invite": ["ag_nobody"]}, "agent_not_found", "invite"),
        ("join", {}, "missing_group_id", "group_id"),
        ("join", {"group_id": "nul\x00"}, "invalid_payload", "group_id"),
        ("list", {"status": "asleep"}, "invalid_status", "status"),
        ("list", {"type": "party"}, "invalid_type", "type"),
        ("list", {"limit": 0}, "invalid_payload", "limit"),
        ("list", {"cursor": "not one"}, "invalid_cursor", "cursor"),
        ("set_role", {"group_id": "grp_1", "agent_id": "ag_1", "role": "king"}, "invalid_role", "role"),
    ):
        error = await agent.client.refused(f"group:{event}", fields)
        assert (error["reason"], error["field"]) == (reason, field), fields
    for event in EVENTS:
        fields = {"group_id": "grp_nowhere", "agent_id": agent.id, "role": "member"}
        assert await agent.refused(event, **fields) == "not_found", event
    assert await agent.ok("list") == {"groups": []}
    nulls: dict[str, Any] = {"type": None, "settings": None, "capabilities": None, "invite": None}
    group = await agent.ok("create", name="still here", **nulls)
    assert (group["type"], group["settings"], group["capabilities"]) == ("squad", {}, [])


async def test_d45_a_repeated_create_gets_the_first_reply_and_makes_nothing(fleet: GroupFleet) -> None:
    agent = await fleet.join("agent")
    request = {"payload": {"name": "once"}, "_idempotency_key": "k1"}
    first = await agent.client.ok("group:create", request)
    assert await agent.client.ok("group:create", request) == first
    assert await agent.refused("create", name="once") == "name_taken"
    other = {"payload": {"name": "twice"}, "_idempotency_key": "k1"}
    assert (await agent.client.refused("group:create", other))["reason"] == "idempotency_conflict"
    assert [group["group_id"] for group in (await agent.ok("list"))["groups"]] == [first["group_id"]]
    await settled(agent)
    assert len(agent.heard("created", name="once")) == 1


async def test_what_was_done_and_is_asked_again_under_its_key_is_answered_as_before(fleet: GroupFleet) -> None:
    """A client that lost the reply sends again: it must not hear that it is no member, or that the group is dissolved."""
    owner, guest = await fleet.join("owner"), await fleet.join("guest")
    group_id = await owner.create("lasting")
    deeds: list[tuple[GroupAgent, str, dict[str, Any]]] = [
        (guest, "group:join", {}),
        (owner, "group:set_role", {"agent_id": guest.id, "role": "admin"}),
        (guest, "group:leave", {}),
        (owner, "group:dissolve", {"result": "done"}),
    ]
    for agent, event, fields in deeds:
        request = {"payload": {"group_id": group_id, **fields}, "_idempotency_key": "again"}
        first = await agent.client.ok(event, request)
        assert await agent.client.ok(event, request) == first, event
    await settled(owner, guest)
    assert [len(owner.heard(push, group_id=group_id)) for push in ("member_joined", "member_left", "dissolved")] == [
        1,
        1,
        1,
    ]


async def test_d45_a_refused_create_can_be_tried_again_under_its_key(fleet: GroupFleet) -> None:
    agent = await fleet.join("agent")
    taken = await agent.create("wanted")
    request = {"payload": {"name": "wanted"}, "_idempotency_key": "k1"}
    assert (await agent.client.refused("group:create", request))["reason"] == "name_taken"
    await agent.ok("dissolve", group_id=taken)
    group = await agent.client.ok("group:create", request)
    assert (await agent.client.ok("group:create", request))["group_id"] == group["group_id"] != taken


async def test_d07_a_group_is_not_there_for_other_fleets_and_tenants(
    fleet: GroupFleet, sister_fleet: GroupFleet, other_fleet: GroupFleet
) -> None:
    owner, sister, stranger = await fleet.join("agent"), await sister_fleet.join("agent"), await other_fleet.join("agent")
    group_id = await owner.create("ours")
    for foreign in (sister, stranger):
        for event in EVENTS:
            fields = {"group_id": group_id, "agent_id": owner.id, "role": "member", "message": "hi"}
            assert await foreign.refused(event, **fields) == "not_found", event
        assert await foreign.ok("list") == {"groups": []}
        assert await foreign.ok("my_groups") == {"groups": []}
        assert await owner.refused("create", name="theirs", invite=[foreign.id]) == "agent_not_found"
        assert (await foreign.ok("create", name="ours"))["member_count"] == 1, "a name is taken in its own fleet only"
        await settled(foreign)
        assert {push["created_by"] for push in foreign.heard("created")} == {foreign.id}
        assert foreign.heard("message") == []
    assert await owner.roles(group_id) == {owner.id: "owner"}
    assert [group["name"] for group in (await owner.ok("list"))["groups"]] == ["ours"]


async def test_joining_and_leaving_is_told_once(fleet: GroupFleet) -> None:
    owner, agent = await fleet.join("owner"), await fleet.join("agent")
    group_id = await owner.create("open")
    assert await agent.refused("leave", group_id=group_id) == "not_member"
    for _ in range(2):
        assert await agent.ok("join", group_id=group_id) == {"joined": True, "group_id": group_id}
    assert [group["group_id"] for group in (await agent.ok("my_groups"))["groups"]] == [group_id]
    assert await agent.ok("leave", group_id=group_id) == {"left": True, "group_id": group_id}
    assert await agent.refused("leave", group_id=group_id) == "not_member"
    await settled(owner)
    assert owner.heard("member_joined") == [{"group_id": group_id, "agent_id": agent.id}]
    assert owner.heard("member_left") == [{"group_id": group_id, "agent_id": agent.id}]
    assert await agent.ok("my_groups") == {"groups": []}


async def test_d79_the_last_owner_hands_over_to_the_oldest_admin_then_to_the_oldest_member(fleet: GroupFleet) -> None:
    owner, member, admin = await fleet.join("owner"), await fleet.join("member"), await fleet.join("admin")
    late = await fleet.join("late")
    group_id = await owner.create("heirs")
    for agent in (member, admin, late):
        await agent.ok("join", group_id=group_id)
    assert list(await late.roles(group_id)) == [owner.id, member.id, admin.id, late.id]
    for agent in (late, admin):
        await owner.ok("set_role", group_id=group_id, agent_id=agent.id, role="admin")
    await owner.ok("leave", group_id=group_id)
    changed = await member.told("role_changed", role="owner")
    assert changed == {"group_id": group_id, "agent_id": admin.id, "role": "owner", "changed_by": "system"}
    await late.ok("leave", group_id=group_id)
    await admin.ok("leave", group_id=group_id)
    assert await owner.roles(group_id) == {member.id: "owner"}
    await member.ok("leave", group_id=group_id)
    ended = await late.told("dissolved", group_id=group_id)
    assert ended == {"group_id": group_id, "result": None, "dissolved_by": "system"}
    assert await owner.refused("join", group_id=group_id) == "group_dissolved"


async def test_an_owner_that_is_not_the_last_leaves_without_handing_over(fleet: GroupFleet) -> None:
    first, second, member = await fleet.join("first"), await fleet.join("second"), await fleet.join("member")
    group_id = await first.create("two owners", invite=[second.id, member.id])
    await first.ok("set_role", group_id=group_id, agent_id=second.id, role="owner")
    await first.ok("leave", group_id=group_id)
    assert await member.roles(group_id) == {second.id: "owner", member.id: "member"}


async def test_only_owners_give_roles_and_dissolve(fleet: GroupFleet) -> None:
    owner, admin, stranger = await fleet.join("owner"), await fleet.join("admin"), await fleet.join("stranger")
    group_id = await owner.create("ruled", invite=[admin.id])
    role = {"group_id": group_id, "agent_id": admin.id, "role": "admin"}
    assert await owner.ok("set_role", **role) == role
    assert await stranger.told("role_changed") == {**role, "changed_by": owner.id}
    for event in ("set_role", "dissolve"):
        assert await admin.refused(event, **{**role, "role": "owner"}) == "forbidden"
        assert await stranger.refused(event, **{**role, "role": "owner"}) == "not_member"
    assert await owner.refused("set_role", group_id=group_id, agent_id=stranger.id, role="admin") == "agent_not_found"
    assert await owner.refused("set_role", group_id=group_id, agent_id=owner.id, role="member") == "last_owner"
    assert await owner.roles(group_id) == {owner.id: "owner", admin.id: "admin"}


@pytest.mark.parametrize("result", [{"found": [1, 2.5, None]}, "text with \x00", 0, False, None, []])
async def test_d79_a_dissolved_group_keeps_its_result_and_refuses_everything(fleet: GroupFleet, result: Any) -> None:
    owner, member = await fleet.join("owner"), await fleet.join("member")
    group_id = await owner.create("done", invite=[member.id])
    assert await owner.ok("dissolve", group_id=group_id, result=result) == {"dissolved": True, "group_id": group_id}
    told = await member.told("dissolved")
    assert told == {"group_id": group_id, "result": result, "dissolved_by": owner.id}
    for event in ("join", "leave", "message", "dissolve", "set_role"):
        fields = {"group_id": group_id, "message": "hi", "agent_id": member.id, "role": "admin"}
        assert await owner.refused(event, **fields) == "group_dissolved", event
    assert await owner.ok("my_groups") == await owner.ok("list") == {"groups": []}
    (group,) = (await member.ok("list", status="dissolved"))["groups"]
    assert (group["result"], group["member_count"], group["status"]) == (result, 2, "dissolved")
    assert group["dissolved_at"] > group["inserted_at"]
    assert await owner.create("done") != group_id, "the name is free"


async def test_a_result_of_more_than_100_kb_is_refused(fleet: GroupFleet) -> None:
    owner = await fleet.join("owner")
    group_id = await owner.create("large")
    assert await owner.refused("dissolve", group_id=group_id, result="x" * 100_000) == "payload_too_large"
    assert (await owner.ok("my_groups"))["groups"][0]["status"] == "active"


async def test_lists_are_newest_first_by_type_and_by_page(fleet: GroupFleet) -> None:
    agent = await fleet.join("agent")
    names = [f"group-{number}" for number in range(7)]
    for number, name in enumerate(names):
        await agent.create(name, type=("squad", "pod", "channel")[number % 3])
    listed = [group["name"] for group in (await agent.ok("list"))["groups"]]
    assert listed == list(reversed(names))
    pods = [group["name"] for group in (await agent.ok("list", type="pod"))["groups"]]
    assert pods == ["group-4", "group-1"]
    pages = []
    page = await agent.ok("list", limit=3)
    while "next_cursor" in page:
        pages.append([group["name"] for group in page["groups"]])
        page = await agent.ok("list", limit=3, cursor=page["next_cursor"])
    pages.append([group["name"] for group in page["groups"]])
    assert [len(each) for each in pages] == [3, 3, 1]
    assert [name for names_of_page in pages for name in names_of_page] == listed


async def test_a_list_that_is_too_large_for_one_message_goes_on_by_cursor(fleet: GroupFleet) -> None:
    agent = await fleet.join("agent")
    for number in range(70):
        await agent.create(f"group-{number}", settings={"text": "x" * 16_000})
    first = await agent.ok("list")
    assert 50 < len(first["groups"]) < 70
    rest = await agent.ok("list", cursor=first["next_cursor"])
    assert len({group["group_id"] for group in first["groups"] + rest["groups"]}) == 70


async def test_max_members_holds_for_invites_and_joins(fleet: GroupFleet) -> None:
    owner, second, third = await fleet.join("owner"), await fleet.join("second"), await fleet.join("third")
    settings = {"max_members": 2}
    error = await owner.client.refused(
        "group:create", {"name": "small", "settings": settings, "invite": [second.id, third.id]}
    )
    assert (error["reason"], error["limit"]) == ("group_full", 2)
    await owner.create("just fits", settings=settings, invite=[owner.id, second.id])
    group_id = await owner.create("small", settings=settings)
    await second.ok("join", group_id=group_id)
    assert await third.refused("join", group_id=group_id) == "group_full"
    await second.ok("join", group_id=group_id)
    await second.ok("leave", group_id=group_id)
    await third.ok("join", group_id=group_id)


async def test_what_an_agent_missed_of_groups_comes_at_its_resume(fleet: GroupFleet) -> None:
    owner = await fleet.join("owner")
    async with fleet.socket("away") as client:
        joined = await client.join()
    group_id = await owner.create("meanwhile", invite=[joined["agent_id"]])
    await owner.ok("dissolve", group_id=group_id)
    away = await fleet.join("away", {"resume": {"epoch": joined["epoch"], "seq": joined["seq"]}})
    await away.told("dissolved")
    assert [len(away.heard(event)) for event in ("created", "invite", "dissolved")] == [1, 1, 1]
