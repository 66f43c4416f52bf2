"""Entries as agents see them; the numbers of tests are those of the defects that they keep out."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from mesh_fleet import Fleet

from ringforge_core.testkit.phoenix_client import PhoenixClient

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANY_JSON = [None, True, 0, -1.5e-3, 10**30, "", "text", "nul \x00 and \ud7ff", [], [1, [2, {}]], {"a": {"b": [None]}}]


async def get(client: PhoenixClient, key: str) -> dict[str, Any]:
    reply = await client.ok("memory:get", {"key": key})
    assert (reply["type"], reply["event"]) == ("memory", "entry")
    payload: dict[str, Any] = reply["payload"]
    return payload


async def listed(client: PhoenixClient, **fields: Any) -> list[str]:
    """The keys of a page."""
    reply = (await client.ok("memory:list", fields))["payload"]
    assert reply["count"] == len(reply["entries"])
    return [entry["key"] for entry in reply["entries"]]


async def test_an_entry_is_what_was_set(fleet: Fleet) -> None:
    writer, writer_id = await fleet.join("writer")
    reader, _ = await fleet.join("reader")
    given = {"key": "plan/today", "value": {"steps": [1, 2]}, "type": "plan", "tags": ["b", "a", "b"],
             "metadata": {"source": "x"}}  # fmt: skip
    reply = await writer.ok("memory:set", {"payload": given})
    assert reply == {"id": reply["id"], "key": "plan/today", "version": 1}
    entry = await get(reader, "plan/today")
    assert entry["created_at"] == entry["updated_at"]
    assert entry["created_at"].endswith("Z")
    assert entry == {
        **given, "id": reply["id"], "fleet_id": fleet.keys.fleet_id, "tags": ["b", "a"], "author": writer_id, "version": 1,
        "created_at": entry["created_at"], "updated_at": entry["updated_at"], "ttl": None, "access_count": 1,
    }  # fmt: skip


@pytest.mark.parametrize("value", ANY_JSON, ids=repr)
async def test_a_value_is_any_json(fleet: Fleet, value: Any) -> None:
    agent, _ = await fleet.join("agent")
    await agent.ok("memory:set", {"key": "k", "value": value})
    assert (await get(agent, "k"))["value"] == value
    (entry,) = (await agent.ok("memory:list"))["payload"]["entries"]
    assert entry["value"] == value


@pytest.mark.parametrize(
    "value", ["1e999", "-0", "1.0", '{"a":1,"a":2}', '"\\ud7ff \\u0000"', "123456789012345678901234567890"]
)
async def test_json_that_is_nobodys_type_is_kept_as_it_is(fleet: Fleet, value: str) -> None:
    agent, _ = await fleet.join("agent")
    await agent.send_raw(f'["1","set","fleet:lobby","memory:set",{{"key":"odd one","value":{value},"type":null}}]')
    answer = await agent.expect(lambda m: m.ref == "set")
    assert answer.status == "ok", answer.response
    entry = await get(agent, "odd one")
    assert entry["value"] == json.loads(value)
    assert isinstance(entry["value"], type(json.loads(value)))
    page = (await agent.ok("memory:query", {"text_search": "odd"}))["payload"]
    assert page["total"] == 1


async def test_a_change_keeps_what_it_does_not_give(fleet: Fleet) -> None:
    first, _ = await fleet.join("first")
    second, second_id = await fleet.join("second")
    await first.ok("memory:set", {"key": "k", "value": [1], "type": "t", "tags": ["x"], "ttl": 60, "metadata": {"m": 1}})
    before = await get(first, "k")
    assert before["ttl"] > before["updated_at"]
    await second.ok("memory:set", {"key": "k", "type": None, "tags": None, "metadata": None})
    after = await get(first, "k")
    kept = ("id", "value", "type", "tags", "metadata", "created_at")
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert (after["author"], after["version"], after["ttl"]) == (second_id, 2, None)
    assert after["updated_at"] > before["updated_at"]
    await first.ok("memory:set", {"key": "k", "value": None, "tags": [], "metadata": {}})
    emptied = await get(first, "k")
    assert (emptied["value"], emptied["tags"], emptied["metadata"], emptied["type"]) == (None, [], {}, "t")


async def test_a_new_entry_without_a_value_is_an_empty_text(fleet: Fleet) -> None:
    agent, _ = await fleet.join("agent")
    await agent.ok("memory:set", {"key": "k"})
    entry = await get(agent, "k")
    assert (entry["value"], entry["type"], entry["tags"], entry["metadata"]) == ("", "text", [], {})


async def test_a_deleted_entry_is_gone(fleet: Fleet) -> None:
    agent, _ = await fleet.join("agent")
    await agent.ok("memory:set", {"key": "k", "value": 1})
    await agent.ok("memory:set", {"key": "other"})
    assert (await get(agent, "k"))["value"] == 1
    assert await agent.ok("memory:delete", {"key": "k"}) == {"deleted": True}
    for event in ("memory:get", "memory:delete"):
        assert (await agent.refused(event, {"key": "k"}))["reason"] == "not_found"
    assert await listed(agent) == ["other"]


async def test_d52_bad_requests_are_refused_and_the_channel_lives(fleet: Fleet) -> None:
    agent, _ = await fleet.join("agent")
    for event, fields, reason, field in (
        ("memory:set", {}, "missing_key", "key"),
        ("memory:set", {"key": ""}, "invalid_payload", "key"),
        ("memory:set", {"key": "x" * 501}, "invalid_payload", "key"),
        ("memory:set", {"key": "tab\t"}, "invalid_payload", "key"),
        ("memory:set", {"key": "line\n"}, "invalid_payload", "key"),
        ("memory:set", {"key": "next line\x85"}, "invalid_payload", "key"),
        ("memory:set", {"key": 5}, "invalid_payload", "key"),
        ("memory:set", {"key": "k", "type": 5}, "invalid_payload", "type"),
        ("memory:set", {"key": "k", "metadata": []}, "invalid_payload", "metadata"),
        ("memory:set", {"key": "k", "metadata": {"x": "x" * 10_000}}, "payload_too_large", "metadata"),
        ("memory:set", {"key": "k", "value": "x" * 1_000_000}, "payload_too_large", "value"),
        ("memory:set", {"key": "k", "tags": ["t"] * 21}, "invalid_payload", "tags"),
        ("memory:set", {"key": "k", "tags": ["t" * 51]}, "invalid_payload", "tags"),
        ("memory:set", {"key": "k", "tags": "t"}, "invalid_payload", "tags"),
        ("memory:set", {"key": "k", "ttl": 0}, "invalid_payload", "ttl"),
        ("memory:set", {"key": "k", "ttl": 2**40}, "invalid_payload", "ttl"),
        ("memory:set", {"key": "k", "if_version": -1}, "invalid_payload", "if_version"),
        ("memory:get", {}, "missing_key", "key"),
        ("memory:get", {"key": ["k"]}, "invalid_payload", "key"),
        ("memory:get", {"key": "nul\x00"}, "not_found", "key"),
        ("memory:delete", {}, "missing_key", "key"),
        ("memory:history", {}, "missing_key", "key"),
        ("memory:history", {"key": "nothing"}, "not_found", "key"),
        ("memory:list", {"limit": 0}, "invalid_payload", "limit"),
        ("memory:list", {"limit": 501}, "invalid_payload", "limit"),
        ("memory:list", {"offset": -1}, "invalid_payload", "offset"),
        ("memory:query", {"sort": "beauty"}, "invalid_payload", "sort"),
        ("memory:query", {"since": "yesterday"}, "invalid_payload", "since"),
        ("memory:query", {"text_search": 5}, "invalid_payload", "text_search"),
        ("memory:subscribe", {}, "missing_pattern", "pattern"),
        ("memory:subscribe", {"pattern": "*", "events": ["burn"]}, "invalid_payload", "events"),
        ("memory:subscribe", {"pattern": "*", "events": []}, "invalid_payload", "events"),
    ):
        error = await agent.refused(event, fields)
        assert (error["reason"], error["field"]) == (reason, field), (event, fields)
    assert await listed(agent) == []


async def test_a_value_may_have_a_million_bytes(fleet: Fleet) -> None:
    agent, _ = await fleet.join("agent")
    value = "x" * 999_998
    await agent.ok("memory:set", {"key": "k" * 500, "value": value, "tags": ["t" * 50], "metadata": {"m": "m" * 9_000}})
    assert (await get(agent, "k" * 500))["value"] == value
    assert await listed(agent) == ["k" * 500]


async def test_lists_fit_into_one_message_and_go_on_by_offset(fleet: Fleet) -> None:
    agent, _ = await fleet.join("agent")
    for number in range(5):
        await agent.ok("memory:set", {"key": f"k{number}", "value": "x" * 300_000})
    reply = await agent.ok("memory:list")
    assert len(json.dumps(reply)) < 2**20
    assert (reply["payload"]["count"], reply["payload"]["total"]) == (2, 5)
    assert await listed(agent, offset=2) == ["k2", "k1"]
    assert await listed(agent, offset=4) == ["k0"]
    history = (await agent.ok("memory:history", {"key": "k0"}))["payload"]
    assert history["count"] == 1


async def test_a_list_is_the_newest_change_first_and_can_be_filtered(fleet: Fleet) -> None:
    one, one_id = await fleet.join("one")
    two, two_id = await fleet.join("two")
    await one.ok("memory:set", {"key": "a", "tags": ["red", "big"]})
    await two.ok("memory:set", {"key": "b", "tags": ["red"]})
    await one.ok("memory:set", {"key": "c", "tags": ["big", "red", 'a "quoted" tag']})
    await two.ok("memory:set", {"key": "a"})
    assert await listed(one) == ["a", "c", "b"]
    assert await listed(one, limit=1, offset=1) == ["c"]
    assert await listed(one, tags=["red", "big"]) == ["a", "c"]
    assert await listed(one, tags=['a "quoted" tag']) == ["c"]
    assert await listed(one, tags=["re"]) == []
    assert await listed(one, author=one_id) == ["c"]
    assert await listed(one, author=two_id, tags=["big"]) == ["a"]
    assert (await one.ok("memory:list", {"limit": 1}))["payload"]["total"] == 3


async def test_d65_readings_never_undo_a_change(fleet: Fleet) -> None:
    agents = [(await fleet.join(f"agent-{number}"))[0] for number in range(4)]
    await agents[0].ok("memory:set", {"key": "k", "value": 0})

    async def change(agent: PhoenixClient, place: int) -> None:
        for number in range(25):
            await agent.ok("memory:set", {"key": "k", "value": [place, number]})
            assert (await get(agent, "k"))["version"] > 1

    async def read(agent: PhoenixClient) -> None:
        versions = [(await get(agent, "k"))["version"] for _ in range(50)]
        assert versions == sorted(versions)

    await asyncio.gather(*(change(agents[place], place) for place in (0, 1)), *(read(agent) for agent in agents[2:]))
    entry = await get(agents[0], "k")
    assert entry["version"] == 51
    assert entry["value"][1] == 24
