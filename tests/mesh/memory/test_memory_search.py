"""Finding entries by their words, tags, author and age."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from mesh_fleet import Fleet

from ringforge_core.mesh.memory.databases import fleet_gram
from ringforge_core.mesh.memory.tables import UNINDEXED, memory_entries
from ringforge_core.testkit.hub import TestHub
from ringforge_core.testkit.phoenix_client import PhoenixClient

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def found(client: PhoenixClient, text: str | None = None, **fields: Any) -> list[str]:
    reply = (await client.ok("memory:query", {"text_search": text, **fields}))["payload"]
    assert reply["count"] == len(reply["entries"])
    return [entry["key"] for entry in reply["entries"]]


async def remember(client: PhoenixClient, **values: Any) -> None:
    for key, value in values.items():
        await client.ok("memory:set", {"key": key, "value": value})


async def test_each_word_must_be_somewhere_in_key_or_value(fleet: Fleet) -> None:
    agent, _ = await fleet.join("agent")
    await remember(agent, **{"deploy/prod-eu": "The Release went out", "notes": "deployment of release 42 failed"})
    assert await found(agent, "DEPLOY rel") == ["notes", "deploy/prod-eu"]
    assert await found(agent, "prod") == ["deploy/prod-eu"]
    assert await found(agent, "42") == ["notes"]
    assert await found(agent, "deploy missing") == []
    assert await found(agent, "lease") == ["notes", "deploy/prod-eu"]
    assert await found(agent, "LEASE prod") == ["deploy/prod-eu"]
    assert await found(agent, "eu") == await found(agent, "u") == ["deploy/prod-eu"], "short ones too"
    assert await found(agent, "oyed") == await found(agent, "rele went x") == []
    assert await found(agent, "!?") == []
    assert await found(agent, fleet.keys.fleet_id[:4]) == await found(agent, fleet_gram(fleet.keys.fleet_id)) == [], (
        "the fleet's id is no word of its entries"
    )
    assert await found(agent, "") == ["notes", "deploy/prod-eu"]


async def test_d53_values_that_are_no_text_are_searched_too(fleet: Fleet) -> None:
    agent, _ = await fleet.join("agent")
    await remember(
        agent,
        number=4711,
        nested={"city": ["Zürich", {"line": "one\ntwo"}], "ok": True},
        nothing=None,
        huge="\u00e9t\u00e9",
    )
    for text, key in (("4711", "number"), ("zürich", "nested"), ("two", "nested"), ("CITY", "nested"), ("true", "nested"),
                      ("null", "nothing"), ("ÉTÉ", "huge")):  # fmt: skip
        assert await found(agent, text) == [key], text


async def test_text_without_spaces_between_words_is_found(fleet: Fleet) -> None:
    agent, _ = await fleet.join("agent")
    await remember(agent, tokyo="東京都の天気", plain="weather")
    assert await found(agent, "天気") == await found(agent, "東京都") == await found(agent, "京") == ["tokyo"]
    assert await found(agent, "気天") == []


async def test_syntax_of_the_database_means_nothing_in_a_search(fleet: Fleet) -> None:
    agent, _ = await fleet.join("agent")
    await remember(agent, a='say "hello" OR NOT words:b*', b="nothing")
    for text in ('"hello', "hello OR nothing", "NOT hello", "words:b*", "' & !x", "fleet : a", "-hello", "hello:*|x"):
        assert await found(agent, text) in (["a"], []), text
    assert await found(agent, '"hello" not') == ["a"]
    assert await found(agent, "hello OR nothing") == [], "or is a word, too"


async def test_a_search_finds_what_was_acknowledged_and_nothing_older(fleet: Fleet, hub: TestHub) -> None:
    agent, _ = await fleet.join("agent")
    for number in range(150):
        await agent.ok("memory:set", {"key": f"k{number}", "value": "early"})
    assert (await agent.ok("memory:query", {"text_search": "early"}))["payload"]["total"] == 150
    await agent.ok("memory:set", {"key": "k7", "value": "late"})
    await agent.ok("memory:delete", {"key": "k8"})
    assert await found(agent, "late") == ["k7"]
    assert (await agent.ok("memory:query", {"text_search": "early"}))["payload"]["total"] == 148
    await agent.ok("memory:set", {"key": "k8", "value": "late"})
    assert await found(agent, "late") == ["k8", "k7"]
    await agent.ok("memory:set", {"key": "k8", "value": "later"})
    assert await found(agent, "later") == ["k8"], "it has changed, and what it was is forgotten"
    assert await found(agent, "late") == ["k8", "k7"]
    left = sa.select(sa.func.count()).where(memory_entries.c.fleet_id == fleet.keys.fleet_id, UNINDEXED)
    assert await hub.hub.store.read(lambda connection: connection.execute(left).scalar()) == 0


async def test_relevance_is_how_much_an_entry_is_about_the_words(fleet: Fleet) -> None:
    agent, _ = await fleet.join("agent")
    await remember(agent, much="cats cats and cats", little="many dogs and birds and fish and also cats", none="dogs")
    assert await found(agent, "cats", sort="relevance") == ["much", "little"]
    assert await found(agent, "a", sort="relevance") == ["little", "much"], "six against four"
    await remember(agent, much="dogs by now", last="x")
    assert await found(agent, None, sort="relevance") == ["last", "much", "none", "little"]


async def test_queries_filter_and_sort(fleet: Fleet) -> None:
    one, one_id = await fleet.join("one")
    two, _ = await fleet.join("two")
    for client, key, tags in ((one, "a", ["x"]), (two, "b", ["x", "y"]), (one, "c", ["x", "y"])):
        await client.ok("memory:set", {"key": key, "value": "word", "tags": tags})
    since = (await one.ok("memory:get", {"key": "b"}))["payload"]["updated_at"]
    await two.ok("memory:set", {"key": "a"})
    assert await found(one) == ["a", "c", "b"]
    assert await found(one, sort="created_at") == ["c", "b", "a"]
    assert await found(one, "word", sort="created_at", limit=2) == ["c", "b"]
    assert await found(one, tags=["y", "x"]) == ["c", "b"]
    assert await found(one, "wor", tags=["y"], author=one_id) == ["c"]
    assert await found(one, since=since) == ["a", "c", "b"]
    assert await found(one, since="2100-01-01T00:00:00") == []
    assert (await one.ok("memory:query", {"limit": 1}))["payload"]["total"] == 3


async def test_the_most_read_come_first_when_asked_so(fleet: Fleet) -> None:
    agent, _ = await fleet.join("agent")
    await remember(agent, seldom=1, often=1, never=1)
    for key, count in (("seldom", 1), ("often", 3)):
        for _ in range(count):
            await agent.ok("memory:get", {"key": key})
    entries: list[dict[str, Any]] = []
    while [entry["access_count"] for entry in entries] != [3, 1, 0]:  # counted in batches; the test's time limit ends this
        entries = (await agent.ok("memory:query", {"sort": "access_count"}))["payload"]["entries"]
    assert [entry["key"] for entry in entries] == ["often", "seldom", "never"]


async def test_a_sort_that_is_none_is_refused_with_those_there_are(fleet: Fleet) -> None:
    agent, _ = await fleet.join("agent")
    error = await agent.refused("memory:query", {"sort": "newest"})
    assert (error["field"], error["fix"]) == ("sort", "Use one of: access_count, created_at, relevance, updated_at.")
