"""What an agent's developer sees of the shared memory, on a real hub."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime

import pytest
from ringforge import InvalidPayload, NotFound, VersionConflict


@pytest.fixture
def hub(real_hub):
    return real_hub


async def take(stream, number, seconds=20):
    async with asyncio.timeout(seconds):
        return [await anext(stream) for _ in range(number)]


async def test_a_value_is_kept_read_by_others_and_deleted(agent_of):
    async with agent_of("writer") as writer, agent_of("reader") as reader:
        written = await writer.memory.set(
            "plans/q3", {"goal": [1, None, "ü"]}, type="plan", tags=["q3", "plan"], metadata={"by": "hand"}
        )
        assert (written.key, written.version) == ("plans/q3", 1)
        entry = await reader.memory.get("plans/q3")
        assert (entry.id, entry.value, entry.type) == (written.id, {"goal": [1, None, "ü"]}, "plan")
        assert (set(entry.tags), entry.metadata, entry.author) == ({"q3", "plan"}, {"by": "hand"}, writer.id)
        assert entry.expires_at is None
        await reader.memory.delete("plans/q3")
        with pytest.raises(NotFound):
            await writer.memory.get("plans/q3")
        with pytest.raises(NotFound):
            await writer.memory.delete("plans/q3")


async def test_a_change_keeps_what_it_does_not_give_but_for_the_ttl(agent_of):
    async with agent_of("writer") as writer:
        await writer.memory.set("k", None, tags=["a"], ttl=60)
        expires_at = (await writer.memory.get("k")).expires_at
        assert 50 < (expires_at - datetime.now(UTC)).total_seconds() <= 60
        await writer.memory.set("k", type="json")
        entry = await writer.memory.get("k")
        assert (entry.value, entry.tags, entry.type, entry.expires_at) == (None, ("a",), "json", None)


async def test_of_two_who_change_the_same_version_one_is_told(agent_of):
    async with agent_of("one") as one, agent_of("two") as two:
        await one.memory.set("counter", 0, if_version=0)
        results = await asyncio.gather(
            *(agent.memory.set("counter", 1, if_version=1) for agent in (one, two)), return_exceptions=True
        )
        [conflict] = [result for result in results if isinstance(result, Exception)]
        assert isinstance(conflict, VersionConflict)
        assert conflict.version == 2
        assert conflict.fix
        with pytest.raises(VersionConflict):
            await one.memory.delete("counter", if_version=1)
        await one.memory.delete("counter", if_version=2)


async def test_entries_are_listed_and_found(agent_of):
    async with agent_of("writer") as writer, agent_of("other") as other:
        await writer.memory.set("notes/apple", "the quick brown fox", tags=["fruit"])
        await writer.memory.set("notes/pear", "a fox and another fox", tags=["fruit", "green"])
        await other.memory.set("notes/stone", "lies still")
        assert [entry.key for entry in (await other.memory.list(tags=["fruit"])).entries] == ["notes/pear", "notes/apple"]
        page = await other.memory.list(limit=1, offset=1)
        assert ([entry.key for entry in page.entries], page.total) == (["notes/pear"], 3)
        assert [entry.key for entry in (await other.memory.list(author=other.id)).entries] == ["notes/stone"]
        found = await other.memory.query("fox")
        assert {entry.key for entry in found.entries} == {"notes/pear", "notes/apple"}
        stone = await writer.memory.get("notes/stone")
        assert [entry.key for entry in (await other.memory.query(since=stone.updated_at)).entries] == ["notes/stone"]


async def test_the_history_tells_what_was_before(agent_of):
    async with agent_of("writer") as writer:
        for value in ("a", "b"):
            await writer.memory.set("k", value)
        await writer.memory.delete("k")
        history = await writer.memory.history("k")
        assert [(each.version, each.action, each.value) for each in history] == [
            (3, "delete", None), (2, "set", "b"), (1, "set", "a"),
        ]  # fmt: skip


async def test_changes_come_to_those_whose_pattern_and_events_match(agent_of):
    async with agent_of("writer") as writer, agent_of("reader") as reader:
        under = await reader.memory.subscribe("plans/*")
        deletes = await reader.memory.subscribe("plans/*", ["delete"])
        exact = await reader.memory.subscribe("other", ["set"])
        await writer.memory.set("plans/a", 1)
        await writer.memory.set("plan", 1)
        await writer.memory.set("other", 1)
        await writer.memory.delete("plans/a")
        seen = await take(under, 2)
        assert [(change.key, change.action, change.version) for change in seen] == [
            ("plans/a", "set", 1), ("plans/a", "delete", 2),
        ]  # fmt: skip
        assert {change.author for change in seen} == {writer.id}
        assert [change.action for change in await take(deletes, 1)] == ["delete"]
        assert [change.key for change in await take(exact, 1)] == ["other"]
        await writer.memory.set("plans/b", 1)
        await take(under, 1)
        await reader.memory.unsubscribe("plans/*")
        await writer.memory.set("plans/c", 1)
        await writer.memory.set("other", 2)
        await take(exact, 1)
        assert [change async for change in under] == []


async def test_an_expiry_is_a_change_too(agent_of):
    async with agent_of("writer") as writer:
        changes = await writer.memory.subscribe("*", ["delete"])
        await writer.memory.set("short", 1, ttl=1)
        [change] = await take(changes, 1)
        assert (change.key, change.action, change.author) == ("short", "delete", "system")


async def test_a_pattern_that_the_hub_refuses_is_not_followed(agent_of):
    async with agent_of("reader") as reader:
        with pytest.raises(InvalidPayload):
            await reader.memory.subscribe("")
        assert reader.memory.patterns == {}


@pytest.mark.parametrize("seed", range(4))
async def test_over_a_wire_that_is_cut_each_change_is_made_once_and_seen_once_in_order(agent_of, wire, seed):
    chance = random.Random(seed)  # noqa: S311 — a test's dice
    async with agent_of("writer") as writer, agent_of("reader") as reader:
        changes = await reader.memory.subscribe("log/*")

        async def write():
            for _ in range(100):
                await writer.memory.set("log/line", "x")

        async def cut():
            for _ in range(6):
                await asyncio.sleep(chance.uniform(0.0, 0.3))
                wire.cut()

        await asyncio.gather(write(), cut())
        assert [change.version for change in await take(changes, 100, 30)] == list(range(1, 101))
        assert (await reader.memory.get("log/line")).version == 100


async def test_what_changed_between_two_processes_comes_to_the_second(agent_of):
    async with agent_of("writer") as writer:
        async with agent_of("reader") as first:
            changes = await first.memory.subscribe("k*")
            await writer.memory.set("k1", 1)
            [seen] = await take(changes, 1)
        await writer.memory.set("k2", 1)
        async with agent_of("reader") as second:
            changes = await second.memory.subscribe("k*", since=seen.position)
            await writer.memory.set("k3", 1)
            assert [change.key for change in await take(changes, 2)] == ["k2", "k3"]
