"""Profiles and moves as agents see them; the numbers of tests are those of the defects that they keep out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from ringforge_core.identity import HUB, Bootstrap, Keys
from ringforge_core.identity.agents import AgentPatch, move_agent, update_agent
from ringforge_core.identity.fleets import create_fleet
from ringforge_core.testkit.hub import TestHub, running_hub
from ringforge_core.testkit.phoenix_client import Message, PhoenixClient


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[TestHub]:
    async with running_hub(tmp_path) as hub:
        yield hub


class Agents:
    """Connects agents that leave at the end of the test."""

    def __init__(self, hub: TestHub, stack: AsyncExitStack) -> None:
        self._hub = hub
        self._stack = stack

    async def join(self, name: str, *, keys: Bootstrap | None = None, key: str | None = None) -> tuple[PhoenixClient, str]:
        api_key = key or (keys or self._hub.keys).agent_key
        client = PhoenixClient(self._hub.websocket_url, api_key=api_key, agent={"name": name})
        await self._stack.enter_async_context(client)
        agent_id = (await client.join())["agent_id"]
        await client.expect_push("presence:roster")
        return client, agent_id


@pytest.fixture
async def agents(running: TestHub) -> AsyncIterator[Agents]:
    async with AsyncExitStack() as stack:
        yield Agents(running, stack)


@pytest.fixture
async def lab(running: TestHub) -> str:
    """A second fleet of the tenant."""
    return (await create_fleet(running.hub.store, running.keys.tenant_id, name="lab", actor=HUB)).id


def is_close(message: Message) -> bool:
    return message.event == "phx_close"


async def test_a_profile_is_changed_and_the_fleet_is_told(agents: Agents) -> None:
    agent, agent_id = await agents.join("scout")
    other, _ = await agents.join("other")
    request = {
        "display_name": "The Scout", "avatar_url": "https://example.org/a.png", "description": "looks around",
        "tags": ["red", "north"], "metadata": {"team": {"n": 1}},
    }  # fmt: skip
    reply = await agent.ok("agent:update_profile", {"payload": request})
    assert (reply["type"], reply["event"]) == ("agent", "profile_updated")
    profile = reply["payload"]
    assert {key: profile[key] for key in request} == request
    assert set(profile) == {
        "agent_id", "name", "display_name", "avatar_url", "description", "tags", "metadata", "framework", "capabilities",
        "total_connections", "total_messages", "last_seen_at", "inserted_at",
    }  # fmt: skip
    assert (profile["agent_id"], profile["name"], profile["total_connections"]) == (agent_id, "scout", 1)
    for client in (agent, other):
        push = await client.expect_push("agent:profile_updated")
        assert push["payload"] == profile
        assert push["seq"] >= 1
    assert (await other.ok("agent:get_profile", {"agent_id": agent_id}))["payload"] == profile


async def test_only_what_is_given_changes_and_an_empty_text_clears(agents: Agents) -> None:
    agent, _ = await agents.join("scout")
    await agent.ok("agent:update_profile", {"display_name": "Scout", "description": "d", "tags": ["a"]})
    changed = await agent.ok("agent:update_profile", {"description": "", "tags": None, "display_name": None})
    assert (changed["payload"]["display_name"], changed["payload"]["tags"]) == ("Scout", ["a"])
    assert changed["payload"]["description"] is None


async def test_a_profile_that_is_not_valid_is_refused_whole(agents: Agents) -> None:
    agent, _ = await agents.join("scout")
    for field, value in (
        ("display_name", "n" * 101),
        ("display_name", 7),
        ("avatar_url", "https://example.org/" + "a" * 2048),
        ("avatar_url", "javascript:alert(1)"),
        ("description", "d" * 2001),
        ("description", "nul\x00"),
        ("tags", ["t"] * 21),
        ("tags", ["t" * 51]),
        ("tags", "t"),
        ("metadata", ["no object"]),
        ("metadata", {"model": "opus"}),
        ("metadata", {"fleet_admin": True}),
        ("metadata", {"large": "x" * 17_000}),
    ):
        refused = await agent.refused("agent:update_profile", {"tags": ["changed"], field: value})
        assert (refused["reason"], refused["field"]) == ("validation_failed", field), (field, value)
    assert (await agent.ok("agent:get_profile"))["payload"]["tags"] == []
    assert agent.pushes("agent:profile_updated") == []


async def test_d08_profiles_are_shown_to_the_own_fleet_only(running: TestHub, agents: Agents, lab: str) -> None:
    agent, agent_id = await agents.join("scout")
    globex = await running.tenant("globex")
    _, foreign_id = await agents.join("foreign", keys=globex)
    _, elsewhere_id = await agents.join("elsewhere")
    await move_agent(running.hub.store, running.keys.tenant_id, elsewhere_id, lab, actor=HUB)
    for other_id in (foreign_id, elsewhere_id, "ag_nobody", "nul\x00"):
        refused = await agent.refused("agent:get_profile", {"agent_id": other_id})
        assert refused["reason"] in ("agent_not_found", "invalid_payload")
        assert "foreign" not in str(refused)
        assert "elsewhere" not in str(refused)
    listed = (await agent.ok("agent:list_profiles"))["payload"]
    assert [profile["agent_id"] for profile in listed["agents"]] == [agent_id]


async def test_profiles_are_listed_by_pages_with_those_who_are_away(agents: Agents) -> None:
    agent, _ = await agents.join("a0")
    for number in range(1, 4):
        client, _ = await agents.join(f"a{number}")
        await client.__aexit__(None, None, None)
    listed = await agent.ok("agent:list_profiles")
    assert (listed["event"], listed["payload"]["count"]) == ("profiles", 4)
    first = (await agent.ok("agent:list_profiles", {"limit": 3}))["payload"]
    second = (await agent.ok("agent:list_profiles", {"limit": 3, "cursor": first["next_cursor"]}))["payload"]
    assert [profile["name"] for profile in first["agents"] + second["agents"]] == ["a3", "a2", "a1", "a0"]
    assert second["next_cursor"] is None


async def test_a_page_of_profiles_fits_into_one_message(running: TestHub, agents: Agents) -> None:
    agent, agent_id = await agents.join("a0")
    ids = [agent_id] + [(await agents.join(f"a{number}"))[1] for number in range(1, 80)]
    patch = AgentPatch(metadata={"large": "x" * 16_000})
    for each in ids:
        await update_agent(running.hub.store, running.keys.tenant_id, each, patch, actor=HUB)
    first = (await agent.ok("agent:list_profiles"))["payload"]
    second = (await agent.ok("agent:list_profiles", {"cursor": first["next_cursor"]}))["payload"]
    assert 0 < first["count"] < 60
    assert sorted(profile["agent_id"] for profile in first["agents"] + second["agents"]) == sorted(ids)


# --- moves ------------------------------------------------------------------------------------------------------------


async def test_d81_a_migrated_agent_is_out_of_the_old_fleet_after_the_reply(
    running: TestHub, agents: Agents, lab: str
) -> None:
    agent, agent_id = await agents.join("scout")
    await agent.join(topic=f"fleet:{running.keys.fleet_id}", join_ref="2")
    twin, _ = await agents.join("scout")
    left_behind, _ = await agents.join("left behind")
    host, host_id = await agents.join("host")
    await move_agent(running.hub.store, running.keys.tenant_id, host_id, lab, actor=HUB)
    await host.expect(is_close)
    await host.join()

    reply = await agent.ok("agent:migrate", {"payload": {"fleet_id": lab}})
    assert (reply["type"], reply["event"]) == ("agent", "migrated")
    assert (reply["payload"]["agent_id"], reply["payload"]["fleet_id"]) == (agent_id, lab)
    for client in (agent, twin):  # at once, not when this node looks for moves
        assert (await client.refused("presence:roster"))["reason"] == "unmatched topic"
    closed = [await agent.expect(lambda m, ref=ref: is_close(m) and m.join_ref == ref) for ref in ("1", "2")]
    answered = next(i for i, m in enumerate(agent.seen) if m.event == "phx_reply" and "migrated" in str(m.payload))
    assert all(agent.seen.index(close) > answered for close in closed)
    await twin.expect(is_close)

    departed = await left_behind.expect(
        lambda m: m.event == "agent:departed" and m.payload["payload"]["agent_id"] == agent_id
    )
    assert departed.payload["payload"]["target_fleet_id"] == lab
    arrived = await host.expect(lambda m: m.event == "agent:arrived" and m.payload["payload"]["agent_id"] == agent_id)
    assert arrived.payload["payload"]["from_fleet_id"] == running.keys.fleet_id
    await left_behind.expect_push("presence:left")

    joined = await agent.join(join_ref="3")
    assert (joined["agent_id"], joined["fleet_id"]) == (agent_id, lab)
    await agent.ok("activity:broadcast", {"kind": "custom", "description": "in the lab"}, join_ref="3")
    await host.expect_push("activity:broadcast")
    assert left_behind.pushes("activity:broadcast") == []


async def test_d81_a_move_by_an_admin_reaches_the_connected_agent(running: TestHub, agents: Agents, lab: str) -> None:
    agent, agent_id = await agents.join("scout")
    bystander, _ = await agents.join("bystander")
    await move_agent(running.hub.store, running.keys.tenant_id, agent_id, lab, actor=HUB)
    await agent.expect(is_close)
    assert (await agent.join())["fleet_id"] == lab
    await bystander.ok("presence:roster")
    assert not any(is_close(message) for message in bystander.seen)


async def test_who_was_moved_back_is_not_moved_by_what_was_read_before(running: TestHub, agents: Agents, lab: str) -> None:
    """The watch asked while the agent was in the lab, and tells of it when it is home again."""
    clock = asyncio.get_running_loop().time
    agent, agent_id = await agents.join("scout")
    await agent.ok("agent:migrate", {"payload": {"fleet_id": lab}})
    await agent.join(join_ref="2")
    asked_at = clock()
    await agent.ok("agent:migrate", {"payload": {"fleet_id": running.keys.fleet_id}}, join_ref="2")
    await agent.join(join_ref="3")
    running.hub.gateway.agents_moved({agent_id: lab}, asked_at)
    await agent.ok("presence:roster", join_ref="3")
    running.hub.gateway.agents_moved({agent_id: lab}, clock())
    await agent.expect(lambda message: is_close(message) and message.join_ref == "3")


async def test_the_same_key_moves_once_and_a_late_repeat_moves_nobody(running: TestHub, agents: Agents, lab: str) -> None:
    agent, _ = await agents.join("scout")
    request = {"payload": {"fleet_id": lab, "_idempotency_key": "to-the-lab"}}
    first = await agent.ok("agent:migrate", request)
    await agent.join(join_ref="2")
    await agent.ok("agent:migrate", {"fleet_id": running.keys.fleet_id}, join_ref="2")
    await agent.join(join_ref="3")
    assert await agent.ok("agent:migrate", request, join_ref="3") == first
    await agent.ok("presence:roster", join_ref="3")  # it is where it was
    assert (await agent.join(topic=f"fleet:{running.keys.fleet_id}", join_ref="4"))["fleet_id"] == running.keys.fleet_id


async def test_a_move_that_cannot_be_is_refused_and_the_channel_lives(running: TestHub, agents: Agents, lab: str) -> None:
    globex = await running.tenant("globex")
    agent, _ = await agents.join("scout")
    namesake_key = await Keys(running.hub.store).create(running.keys.tenant_id, kind="live", fleet_id=lab)
    namesake, _ = await agents.join("scout", key=namesake_key.key)
    for payload, reason in (
        ({}, "missing_fleet_id"),
        ({"fleet_id": running.keys.fleet_id}, "same_fleet"),
        ({"fleet_id": lab}, "name_conflict"),
        ({"fleet_id": globex.fleet_id}, "fleet_not_found"),
        ({"fleet_id": "nowhere"}, "fleet_not_found"),
    ):
        assert (await agent.refused("agent:migrate", payload))["reason"] == reason, payload
    assert (await namesake.refused("agent:migrate", {"fleet_id": running.keys.fleet_id}))["reason"] == "forbidden"
    await agent.ok("presence:roster")


async def test_what_was_followed_can_be_followed_anew_after_a_move(agents: Agents, lab: str) -> None:
    agent, _ = await agents.join("scout")
    await agent.ok("activity:subscribe", {"tags": ["a", "b"]})
    await agent.ok("memory:subscribe", {"pattern": "plans/*"})
    await agent.ok("agent:migrate", {"fleet_id": lab})
    await agent.expect(is_close)
    await agent.join(join_ref="2")
    reply = await agent.ok("activity:subscribe", {"tags": ["a"]}, join_ref="2")
    assert reply["subscribed_tags"] == ["a"]
    await agent.ok("memory:subscribe", {"pattern": "plans/*"}, join_ref="2")


async def test_d23_a_profile_is_shown_by_the_stored_name(agents: Agents) -> None:
    agent, agent_id = await agents.join("scout")
    other, _ = await agents.join("other")
    await agent.ok("agent:update_profile", {"display_name": "other", "name": "other"})
    push: dict[str, Any] = (await other.expect_push("agent:profile_updated"))["payload"]
    assert (push["agent_id"], push["name"], push["display_name"]) == (agent_id, "scout", "other")
