"""Presence as agents see it; the numbers of tests are those of the defects that they keep out."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest
from mesh_fleet import Fleet

from ringforge_core.testkit.phoenix_client import Message, PhoenixClient

pytestmark = pytest.mark.asyncio(loop_scope="module")

ENTRY = {
    "agent_id", "name", "framework", "model", "capabilities", "state", "task", "load", "connected_at", "node", "region",
}  # fmt: skip


async def roster(client: PhoenixClient) -> list[dict[str, Any]]:
    agents: list[dict[str, Any]] = (await client.ok("presence:roster"))["payload"]["agents"]
    return agents


def is_state_change(topic: str, message: Message) -> bool:
    return (message.topic, message.event) == (topic, "presence:state_changed")


def left(client: PhoenixClient) -> list[str]:
    """The names of those that left so far."""
    return [push["payload"]["name"] for push in client.pushes("presence:left")]


async def pass_by(fleet: Fleet, watcher: PhoenixClient, name: str) -> None:
    """An agent comes and goes, and the watcher has seen it go: whatever was due to be told before is told."""
    passer_by, _ = await fleet.join(name)
    await passer_by.__aexit__(None, None, None)
    await watcher.expect(lambda m: m.event == "presence:left" and m.payload["payload"]["name"] == name)


async def test_a_joiner_hears_of_itself_and_then_gets_the_roster(fleet: Fleet) -> None:
    _, first_id = await fleet.join("first")
    second, second_id = await fleet.join("second", {"state": "busy", "task": "reading", "load": 0.5, "model": "m-1"})
    assert [message.event for message in second.seen] == ["phx_reply", "presence:joined", "presence:roster"]
    push = second.seen[2].payload
    assert (push["type"], push["event"]) == ("presence", "roster")
    entries = {entry["agent_id"]: entry for entry in push["payload"]["agents"]}
    assert set(entries) == {first_id, second_id}
    assert set(entries[second_id]) == ENTRY
    assert entries[second_id] == second.seen[1].payload["payload"]
    shown = {field: entries[second_id][field] for field in ("name", "state", "task", "load", "model", "region")}
    assert shown == {
        "name": "second", "state": "busy", "task": "reading", "load": 0.5, "model": "m-1", "region": "local",
    }  # fmt: skip


async def test_the_fleet_hears_who_joins(fleet: Fleet) -> None:
    first, _ = await fleet.join("first")
    seen = len(first.seen)
    _, second_id = await fleet.join("second")
    push = await first.expect_push("presence:joined", after=seen)
    assert push["payload"]["agent_id"] == second_id


async def test_an_update_is_told_and_changes_only_what_it_names(fleet: Fleet) -> None:
    watcher, _ = await fleet.join("watcher")
    agent, agent_id = await fleet.join("agent", {"state": "busy", "task": "reading", "load": 1})
    assert await agent.ok("presence:update", {"payload": {"load": 2.5}}) == {"status": "updated"}
    told = (await watcher.expect_push("presence:state_changed"))["payload"]
    assert told == {
        "agent_id": agent_id, "name": "agent", "state": "busy", "task": "reading", "load": 2.5, "model": None,
    }  # fmt: skip
    (entry,) = [entry for entry in await roster(watcher) if entry["agent_id"] == agent_id]
    assert (entry["state"], entry["task"], entry["load"]) == ("busy", "reading", 2.5)


async def test_d62_null_clears_the_task(fleet: Fleet) -> None:
    agent, _ = await fleet.join("agent", {"state": "busy", "task": "reading"})
    await agent.ok("presence:update", {"task": None, "state": None})
    told = (await agent.expect_push("presence:state_changed"))["payload"]
    assert (told["task"], told["state"]) == (None, "busy")


@pytest.mark.parametrize(
    ("fields", "reason", "field"),
    [
        ({"state": "asleep"}, "invalid_state", "state"),
        ({"state": 5}, "invalid_state", "state"),
        ({"load": -0.1}, "invalid_payload", "load"),
        ({"load": "high"}, "invalid_payload", "load"),
        ({"task": "x" * 501}, "invalid_payload", "task"),
        ({"metadata": ["no object"]}, "invalid_payload", "metadata"),
        ({"metadata": {"text": "x" * 16_384}}, "payload_too_large", "metadata"),
    ],
)
async def test_d62_bad_fields_are_refused_and_change_nothing(
    fleet: Fleet, fields: dict[str, Any], reason: str, field: str
) -> None:
    agent, _ = await fleet.join("agent", {"state": "busy", "task": "reading", "load": 1})
    error = await agent.refused("presence:update", fields)
    assert (error["reason"], error["field"]) == (reason, field)
    (entry,) = await roster(agent)
    assert (entry["state"], entry["task"], entry["load"]) == ("busy", "reading", 1)
    assert agent.pushes("presence:state_changed") == []


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"load": -1}, "load"), ({"capabilities": ["x"] * 65}, "capabilities"), ({"capabilities": "all"}, "capabilities")],
)
async def test_d62_a_join_with_bad_fields_is_refused(fleet: Fleet, fields: dict[str, Any], field: str) -> None:
    agent = await fleet.connect("agent")
    error = await agent.refused("phx_join", {"payload": fields})
    assert (error["reason"], error["field"]) == ("invalid_payload", field)
    await agent.join()


@pytest.mark.parametrize("state", ["asleep", 5, ["online"], None])
async def test_d62_a_join_with_a_state_that_is_none_counts_as_online(fleet: Fleet, state: Any) -> None:
    agent, _ = await fleet.join("agent", {"state": state})
    assert [entry["state"] for entry in await roster(agent)] == ["online"]


async def test_d23_a_join_cannot_take_another_agents_name(fleet: Fleet) -> None:
    _, owner_id = await fleet.join("owner")
    impostor, impostor_id = await fleet.join("impostor", {"name": "owner"})
    names = {entry["agent_id"]: entry["name"] for entry in await roster(impostor)}
    assert names == {owner_id: "owner", impostor_id: "impostor"}


async def test_d61_two_connections_are_one_presence(fleet: Fleet) -> None:
    watcher, _ = await fleet.join("watcher")
    first, agent_id = await fleet.join("agent")
    second, same_id = await fleet.join("agent")
    assert agent_id == same_id
    assert [entry["name"] for entry in await roster(watcher)].count("agent") == 1
    await first.__aexit__(None, None, None)
    await pass_by(fleet, watcher, "marker")
    assert left(watcher) == ["marker"]
    assert [push["payload"]["name"] for push in watcher.pushes("presence:joined")].count("agent") == 1
    await second.ok("presence:update", {"state": "away"})


async def test_d61_left_comes_when_the_last_connection_is_gone(fleet: Fleet) -> None:
    watcher, _ = await fleet.join("watcher")
    first, agent_id = await fleet.join("agent")
    second, _ = await fleet.join("agent")
    await first.__aexit__(None, None, None)
    await second.__aexit__(None, None, None)
    push = (await watcher.expect_push("presence:left"))["payload"]
    assert (push["agent_id"], push["name"]) == (agent_id, "agent")
    assert push["last_seen_at"].endswith("Z")
    assert [entry["name"] for entry in await roster(watcher)] == ["watcher"]


async def test_d61_a_second_connection_does_not_reset_what_the_agent_said(fleet: Fleet) -> None:
    first, _ = await fleet.join("agent", {"state": "busy", "task": "reading"})
    second, _ = await fleet.join("agent")
    (entry,) = await roster(second)
    assert (entry["state"], entry["task"]) == ("busy", "reading")
    assert first.pushes("presence:state_changed") == []
    await fleet.join("agent", {"state": "away"})
    assert (await first.expect_push("presence:state_changed"))["payload"]["state"] == "away"


async def test_a_quick_reconnect_is_silent(fleet: Fleet) -> None:
    watcher, _ = await fleet.join("watcher")
    agent, _ = await fleet.join("agent", {"state": "busy"})
    await agent.__aexit__(None, None, None)
    await fleet.join("agent", {"state": "busy"})
    await pass_by(fleet, watcher, "marker")
    assert left(watcher) == ["marker"]
    joined = [push["payload"]["name"] for push in watcher.pushes("presence:joined")]
    assert joined == ["watcher", "agent", "marker"]


async def test_leaving_the_channel_is_leaving(fleet: Fleet) -> None:
    watcher, _ = await fleet.join("watcher")
    agent, _ = await fleet.join("agent")
    await agent.ok("phx_leave")
    await watcher.expect_push("presence:left")
    assert left(watcher) == ["agent"]
    assert agent.closed is None


async def test_d56_lobby_and_fleet_topic_are_one_presence(fleet: Fleet) -> None:
    watcher, _ = await fleet.join("watcher")
    agent = await fleet.connect("agent")
    topic = (await agent.join())["topic"]
    await agent.join(topic=topic, join_ref="2")
    assert sorted(entry["name"] for entry in await roster(watcher)) == ["agent", "watcher"]
    seen = len(agent.seen)
    await watcher.ok("presence:update", {"state": "away"})
    for each in ("fleet:lobby", topic):
        await agent.expect(partial(is_state_change, each), after=seen)
    assert len(agent.pushes("presence:state_changed")) == 2
    await agent.ok("phx_leave", topic=topic, join_ref="2")
    await pass_by(fleet, watcher, "marker")
    assert left(watcher) == ["marker"]


async def test_agents_that_join_together_each_get_a_roster_with_themselves(fleet: Fleet) -> None:
    agents = await asyncio.gather(*(fleet.join(f"agent-{number}") for number in range(100)))
    for client, agent_id in agents:
        (push,) = client.pushes("presence:roster")
        assert agent_id in {entry["agent_id"] for entry in push["payload"]["agents"]}
        events = [message.event for message in client.seen]
        assert events.index("presence:joined") < events.index("presence:roster")
    last, _ = agents[-1]
    assert len(await roster(last)) == 100


async def test_another_tenant_sees_nothing(fleet: Fleet, other_fleet: Fleet) -> None:
    agent, _ = await fleet.join("agent")
    stranger, _ = await other_fleet.join("stranger")
    await agent.ok("presence:update", {"state": "away"})
    assert [entry["name"] for entry in await roster(stranger)] == ["stranger"]
    assert [message.event for message in stranger.seen] == [
        "phx_reply", "presence:joined", "presence:roster", "phx_reply",
    ]  # fmt: skip
