"""Who is told of which changes."""

from __future__ import annotations

from typing import Any

import pytest
from mesh_fleet import Fleet

from ringforge_core.testkit.phoenix_client import PhoenixClient

pytestmark = pytest.mark.asyncio(loop_scope="module")


def heard(client: PhoenixClient) -> list[tuple[str, str]]:
    return [(push["payload"]["action"], push["payload"]["key"]) for push in client.pushes("memory:changed")]


async def hears(client: PhoenixClient, key: str, action: str = "set") -> dict[str, Any]:
    def is_it(message: Any) -> bool:
        return message.event == "memory:changed" and (
            message.payload["payload"]["key"] == key and message.payload["payload"]["action"] == action
        )

    payload: dict[str, Any] = (await client.expect(is_it)).payload
    return payload


async def change(client: PhoenixClient, *keys: str) -> None:
    for key in keys:
        await client.ok("memory:set", {"key": key})


async def test_a_change_is_told_to_those_who_follow_its_key(fleet: Fleet) -> None:
    writer, writer_id = await fleet.join("writer")
    follower, _ = await fleet.join("follower")
    await follower.ok("memory:subscribe", {"payload": {"pattern": "k"}})
    await change(writer, "k")
    push = await hears(follower, "k")
    assert (push["type"], push["event"], push["seq"]) == ("memory", "changed", 1)
    assert push["epoch"]
    assert push["payload"].pop("timestamp").endswith("Z")
    assert push["payload"] == {"key": "k", "action": "set", "author": writer_id, "version": 1}
    assert heard(writer) == []


async def test_patterns(fleet: Fleet) -> None:
    writer, _ = await fleet.join("writer")
    keys = ["p", "p/", "p/a", "p/b/c", "pa", "q", "p*x", "é/ü"]
    expected = {
        "*": keys, "p/*": ["p/", "p/a", "p/b/c"], "p*": ["p", "p/", "p/a", "p/b/c", "pa", "p*x"], "p": ["p"],
        "p*x": ["p*x"], "é/*": ["é/ü"], "none/*": [],
    }  # fmt: skip
    followers = {}
    for number, pattern in enumerate(expected):
        follower, _ = await fleet.join(f"follower-{number}")
        reply = await follower.ok("memory:subscribe", {"pattern": pattern})
        part = "_all" if pattern.endswith("*") else pattern
        assert reply == {"subscribed": pattern, "topic": f"memory:{fleet.keys.fleet_id}:{part}"}
        await follower.ok("memory:subscribe", {"pattern": "end"})
        followers[pattern] = follower
    await change(writer, *keys, "end")
    for pattern, follower in followers.items():
        await hears(follower, "end")
        told = [key for _, key in heard(follower) if key != "end"]
        assert told == expected[pattern], pattern


async def test_d64_overlapping_patterns_tell_once_and_events_are_honoured(fleet: Fleet) -> None:
    writer, writer_id = await fleet.join("writer")
    follower, _ = await fleet.join("follower")
    for pattern, events in (("a/*", ["set"]), ("a/b", ["set", "delete"]), ("a*", None), ("*", ["delete"])):
        await follower.ok("memory:subscribe", {"pattern": pattern, "events": events})
    await follower.ok("memory:subscribe", {"pattern": "a*", "events": ["set"]})
    await change(writer, "a/b", "a/c", "other")
    for key in ("a/c", "other", "a/b"):
        await writer.ok("memory:delete", {"key": key})
    push = await hears(follower, "a/b", "delete")
    assert push["payload"]["author"] == writer_id, "a deletion tells who deleted"
    assert heard(follower) == [
        ("set", "a/b"), ("set", "a/c"), ("delete", "a/c"), ("delete", "other"), ("delete", "a/b"),
    ]  # fmt: skip


async def test_d64_each_connection_is_told_once(fleet: Fleet) -> None:
    writer, _ = await fleet.join("writer")
    first, _ = await fleet.join("follower")
    second, _ = await fleet.join("follower")
    await first.ok("memory:subscribe", {"pattern": "*"})
    await second.ok("memory:subscribe", {"pattern": "k*"})
    await change(writer, "k", "k2")
    for client in (first, second):
        await hears(client, "k2")
        assert heard(client) == [("set", "k"), ("set", "k2")]


async def test_d64_a_subscription_can_be_undone(fleet: Fleet) -> None:
    agent, _ = await fleet.join("agent")
    await agent.ok("memory:subscribe", {"pattern": "a*"})
    await agent.ok("memory:subscribe", {"pattern": "b"})
    assert await agent.ok("memory:unsubscribe", {"pattern": "a*"}) == {"unsubscribed": "a*"}
    assert await agent.ok("memory:unsubscribe", {"pattern": "never"}) == {"unsubscribed": "never"}
    await change(agent, "a", "b")
    await hears(agent, "b")
    assert heard(agent) == [("set", "b")]
    assert (await agent.refused("memory:unsubscribe"))["reason"] == "missing_pattern"


async def test_d111_an_agent_follows_at_most_200_patterns(fleet: Fleet) -> None:
    agent, _ = await fleet.join("agent")
    for number in range(200):
        await agent.ok("memory:subscribe", {"pattern": f"k{number}"})
    error = await agent.refused("memory:subscribe", {"pattern": "one more"})
    assert (error["reason"], error["limit"]) == ("too_many_subscriptions", 200)
    await agent.ok("memory:subscribe", {"pattern": "k7", "events": ["delete"]})
    await agent.ok("memory:unsubscribe", {"pattern": "k8"})
    await agent.ok("memory:subscribe", {"pattern": "one more"})


async def test_d72_a_repeated_subscription_answers_as_before_and_undoes_nothing(fleet: Fleet) -> None:
    agent, _ = await fleet.join("agent")
    request = {"payload": {"pattern": "a*"}, "_idempotency_key": "k"}
    first = await agent.ok("memory:subscribe", request)
    await agent.ok("memory:subscribe", {"pattern": "b*"})
    await agent.ok("memory:unsubscribe", {"pattern": "a*"})
    assert await agent.ok("memory:subscribe", request) == first
    await change(agent, "a1", "b1")
    await hears(agent, "b1")
    assert heard(agent) == [("set", "b1")]
    conflict = await agent.refused("memory:subscribe", {"payload": {"pattern": "c"}, "_idempotency_key": "k"})
    assert conflict["reason"] == "idempotency_conflict"
