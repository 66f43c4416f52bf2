"""Versions, compare and set, expiry, history, and changes that are asked for twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from mesh_fleet import Fleet

from ringforge_core.testkit.phoenix_client import PhoenixClient

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def set_value(client: PhoenixClient, key: str, value: Any, **fields: Any) -> int:
    reply = await client.ok("memory:set", {"key": key, "value": value, **fields})
    version: int = reply["version"]
    return version


async def history(client: PhoenixClient, key: str, **fields: Any) -> list[dict[str, Any]]:
    reply = (await client.ok("memory:history", {"key": key, **fields}))["payload"]
    assert (reply["key"], reply["count"]) == (key, len(reply["versions"]))
    versions: list[dict[str, Any]] = reply["versions"]
    return versions


async def test_d65_a_version_counts_up_and_guards_a_change(fleet: Fleet) -> None:
    agent, _ = await fleet.join("agent")
    assert await set_value(agent, "k", 1, if_version=0) == 1
    assert await set_value(agent, "k", 2, if_version=1) == 2
    for event in ("memory:set", "memory:delete"):
        for stale in (0, 1, 3):
            error = await agent.refused(event, {"key": "k", "value": 3, "if_version": stale})
            assert (error["reason"], error["version"]) == ("version_conflict", 2)
    entry = (await agent.ok("memory:get", {"key": "k"}))["payload"]
    assert (entry["value"], entry["version"]) == (2, 2)
    assert await agent.ok("memory:delete", {"key": "k", "if_version": 2}) == {"deleted": True}


async def test_versions_go_on_after_a_deletion_so_an_old_one_cannot_match(fleet: Fleet) -> None:
    agent, _ = await fleet.join("agent")
    await set_value(agent, "k", "first")
    old = (await agent.ok("memory:get", {"key": "k"}))["payload"]
    counted = 0
    while not counted:  # the test's time limit ends this
        (entry,) = (await agent.ok("memory:list"))["payload"]["entries"]
        counted = entry["access_count"]
    await agent.ok("memory:delete", {"key": "k"})
    error = await agent.refused("memory:set", {"key": "k", "if_version": 1})
    assert (error["reason"], error["version"]) == ("version_conflict", 0)
    assert await set_value(agent, "k", "second", if_version=0) == 3
    (new,) = (await agent.ok("memory:list"))["payload"]["entries"]
    assert new["id"] != old["id"]
    assert new["created_at"] > old["created_at"]
    assert new["access_count"] == 0
    assert (await agent.refused("memory:set", {"key": "k", "if_version": 1}))["version"] == 3


async def test_d65_of_many_that_race_one_wins_each_version(fleet: Fleet) -> None:
    agents = [(await fleet.join(f"agent-{number}"))[0] for number in range(8)]
    await set_value(agents[0], "counter", 0)

    async def count(agent: PhoenixClient) -> None:
        done = 0
        while done < 10:
            entry = (await agent.ok("memory:get", {"key": "counter"}))["payload"]
            answer = await agent.call(
                "memory:set", {"key": "counter", "value": entry["value"] + 1, "if_version": entry["version"]}
            )
            if answer.status == "ok":
                done += 1
            else:
                assert answer.response["reason"] == "version_conflict"

    await asyncio.gather(*(count(agent) for agent in agents))
    entry = (await agents[0].ok("memory:get", {"key": "counter"}))["payload"]
    assert (entry["value"], entry["version"]) == (80, 81)


async def test_only_one_creates_a_key(fleet: Fleet) -> None:
    agents = [(await fleet.join(f"agent-{number}"))[0] for number in range(8)]
    answers = await asyncio.gather(*(agent.call("memory:set", {"key": "lock", "if_version": 0}) for agent in agents))
    assert sorted(answer.status for answer in answers) == ["error"] * 7 + ["ok"]


async def test_d66_an_entry_expires_and_that_is_announced(fleet: Fleet) -> None:
    agent, agent_id = await fleet.join("agent")
    await agent.ok("memory:subscribe", {"pattern": "*"})
    await set_value(agent, "brief", 1, ttl=1)
    await set_value(agent, "lasting", 2, ttl=1)
    await set_value(agent, "lasting", 3)
    assert (await agent.ok("memory:get", {"key": "brief"}))["payload"]["value"] == 1
    push = await agent.expect(lambda m: m.event == "memory:changed" and m.payload["payload"]["action"] == "delete")
    change = push.payload["payload"]
    assert (change["key"], change["author"], change["version"]) == ("brief", "system", 2)
    assert (await agent.refused("memory:get", {"key": "brief"}))["reason"] == "not_found"
    assert (await agent.ok("memory:list"))["payload"]["total"] == 1
    assert (await agent.ok("memory:get", {"key": "lasting"}))["payload"]["value"] == 3
    assert [version["author"] for version in await history(agent, "brief")] == ["system", agent_id]


async def test_history_tells_what_a_key_was(fleet: Fleet) -> None:
    one, one_id = await fleet.join("one")
    two, two_id = await fleet.join("two")
    await set_value(one, "k", "a", tags=["t"], type="note", metadata={"m": 1})
    await set_value(two, "k", {"b": 2})
    await one.ok("memory:delete", {"key": "k"})
    await set_value(two, "k", "c")
    versions = await history(one, "k")
    assert [(v["version"], v["action"], v["value"], v["author"]) for v in versions] == [
        (4, "set", "c", two_id), (3, "delete", None, one_id), (2, "set", {"b": 2}, two_id), (1, "set", "a", one_id),
    ]  # fmt: skip
    assert (versions[3]["tags"], versions[3]["type"], versions[3]["metadata"]) == (["t"], "note", {"m": 1})
    assert [v["timestamp"] for v in versions] == sorted((v["timestamp"] for v in versions), reverse=True)
    assert [v["version"] for v in await history(one, "k", limit=2)] == [4, 3]


async def test_history_keeps_the_last_versions(fleet: Fleet) -> None:
    agent, _ = await fleet.join("agent")
    for number in range(1, 15):
        await set_value(agent, "k", number)
    assert [(v["version"], v["value"]) for v in await history(agent, "k")] == [(n, n) for n in range(14, 3, -1)]


async def test_d72_the_same_key_sets_once(fleet: Fleet) -> None:
    agent, _ = await fleet.join("agent")
    request = {"key": "k", "value": {"a": 1}, "_idempotency_key": "i-1"}
    first = await agent.ok("memory:set", request)
    await set_value(agent, "k", "newer")
    assert await agent.ok("memory:set", request) == first
    assert (await agent.ok("memory:get", {"key": "k"}))["payload"]["value"] == "newer"
    conflict = await agent.refused("memory:set", {**request, "value": {"a": 2}})
    assert conflict["reason"] == "idempotency_conflict"
    await agent.ok("memory:delete", {"key": "k", "_idempotency_key": "i-1"})
    await set_value(agent, "k", "again")
    await agent.ok("memory:delete", {"key": "k", "_idempotency_key": "i-1"})
    assert (await agent.ok("memory:get", {"key": "k"}))["payload"]["value"] == "again"
