"""Any sequence of requests does to the hub's memory what it does to a dictionary."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mesh_fleet import Fleet

from ringforge_core.identity import bootstrap
from ringforge_core.testkit.hub import TestHub
from ringforge_core.testkit.phoenix_client import Message, PhoenixClient

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEYS = st.sampled_from(["a", "b", "plan/a", "plan/b", "a b-c"])
WORDS = st.sampled_from(["red", "redder", "blue", "Blue", "7", "x_y"])
TEXTS = st.lists(WORDS, max_size=4).map(" ".join)
VALUES = st.one_of(
    TEXTS,
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.lists(TEXTS, max_size=3),
    st.dictionaries(WORDS, TEXTS, max_size=3),
)
TAGS = st.lists(st.sampled_from(["t", "u", "v"]), max_size=3, unique=True)
VERSION = st.none() | st.integers(0, 4)
OPERATIONS = st.one_of(
    st.tuples(
        st.just("set"),
        st.fixed_dictionaries(
            {"key": KEYS},
            optional={"value": VALUES, "type": WORDS, "tags": TAGS, "metadata": st.fixed_dictionaries({"m": VALUES}),
                      "ttl": st.sampled_from([None, 3600]), "if_version": VERSION},
        ),
    ),
    st.tuples(st.just("delete"), st.fixed_dictionaries({"key": KEYS, "if_version": VERSION})),
    st.tuples(st.just("get"), st.fixed_dictionaries({"key": KEYS})),
    st.tuples(st.just("outlive"), st.fixed_dictionaries({"key": KEYS})),
    st.tuples(
        st.just("list"),
        st.fixed_dictionaries({}, optional={"tags": TAGS, "author": st.sampled_from([0, 1]), "limit": st.integers(1, 3),
                                            "offset": st.integers(0, 3)}),
    ),
    st.tuples(
        st.just("query"),
        st.fixed_dictionaries(
            {}, optional={"tags": TAGS, "author": st.sampled_from([0, 1]), "text_search": TEXTS,
                          "sort": st.sampled_from(["created_at", "updated_at"])},
        ),
    ),
)  # fmt: skip
STEPS = st.lists(st.tuples(st.sampled_from([0, 1]), OPERATIONS), max_size=30)


class Model:
    """The entries in plain Python. `order` and `made` number the changes and the beginnings of entries."""

    def __init__(self, authors: list[str]) -> None:
        self.authors = authors
        self.entries: dict[str, dict[str, Any]] = {}
        self.versions: dict[str, int] = {}
        self.readings: dict[str, int] = {}
        self.pushed: list[tuple[str, str, str, int]] = []
        self.order = 0

    def set(self, author: str, request: dict[str, Any]) -> tuple[str, int]:
        key, before = request["key"], self.entries.get(request["key"])
        if conflict := self._conflict(key, request.get("if_version")):
            return conflict
        self.order += 1
        if before is None:
            before = {"value": "", "type": "text", "tags": [], "metadata": {}, "made": self.order}
            self.readings[key] = 0
        given = {name: request[name] for name in ("value", "type", "tags", "metadata") if name in request}
        self.entries[key] = {**before, **given, "author": author, "order": self.order, "expires": bool(request.get("ttl"))}
        return "ok", self._count(key, "set", author)

    def delete(self, author: str, request: dict[str, Any]) -> tuple[str, int]:
        key = request["key"]
        if key not in self.entries:
            return "not_found", 0
        if conflict := self._conflict(key, request["if_version"]):
            return conflict
        del self.entries[key]
        return "ok", self._count(key, "delete", author)

    def page(self, request: dict[str, Any]) -> list[str]:
        text = request.get("text_search")
        keys = [
            key
            for key, entry in self.entries.items()
            if set(request.get("tags", ())) <= set(entry["tags"])
            and ("author" not in request or entry["author"] == self.authors[request["author"]])
            and (not text or _matches(key, entry["value"], text))
        ]
        order = "made" if request.get("sort") == "created_at" else "order"
        return sorted(keys, key=lambda key: self.entries[key][order], reverse=True)

    def _conflict(self, key: str, if_version: int | None) -> tuple[str, int] | None:
        version = self.versions[key] if key in self.entries else 0
        return None if if_version in (None, version) else ("version_conflict", version)

    def _count(self, key: str, action: str, author: str) -> int:
        self.versions[key] = self.versions.get(key, 0) + 1
        self.pushed.append((key, action, author, self.versions[key]))
        return self.versions[key]


def _matches(key: str, value: Any, text: str) -> bool:
    def words(of: str) -> list[str]:
        return re.findall("[a-z0-9]+", of.lower())

    there = words(f"{key} {json.dumps(value)}")
    return all(any(wanted in word for word in there) for wanted in words(text))


class Comparison:
    """Does each step to the hub and to the model, and compares."""

    def __init__(self, clients: list[PhoenixClient], model: Model) -> None:
        self.clients = clients
        self.model = model

    async def step(self, who: int, operation: str, request: dict[str, Any]) -> None:
        await getattr(self, f"_{operation}")(who, request)

    async def _set(self, who: int, request: dict[str, Any]) -> None:
        answer = await self.clients[who].call("memory:set", request)
        assert _outcome(answer) == self.model.set(self.model.authors[who], request)

    async def _delete(self, who: int, request: dict[str, Any]) -> None:
        outcome = _outcome(await self.clients[who].call("memory:delete", request))
        expected = self.model.delete(self.model.authors[who], request)
        assert outcome == (expected if expected[0] == "version_conflict" else (expected[0], 0))

    async def _get(self, who: int, request: dict[str, Any]) -> None:
        answer = await self.clients[who].call("memory:get", request)
        key = request["key"]
        if key not in self.model.entries:
            assert answer.response["reason"] == "not_found"
        else:
            self.model.readings[key] += 1
            self._compare(answer.response["payload"])

    async def _outlive(self, who: int, request: dict[str, Any]) -> None:
        """Set it for a second and wait until it is over."""
        await self._set(who, {**request, "ttl": 1})
        while (answer := await self.clients[who].call("memory:get", request)).status == "ok":
            self.model.readings[request["key"]] += 1
        assert answer.response["reason"] == "not_found"
        assert self.model.delete("system", {**request, "if_version": None})[0] == "ok"

    async def _list(self, who: int, request: dict[str, Any]) -> None:
        keys = self.model.page(request)
        first = request.get("offset", 0)
        await self._page("memory:list", who, request, keys[first : first + request.get("limit", 50)], len(keys))

    async def _query(self, who: int, request: dict[str, Any]) -> None:
        keys = self.model.page(request)
        await self._page("memory:query", who, request, keys, len(keys))

    async def _page(self, event: str, who: int, request: dict[str, Any], keys: list[str], total: int) -> None:
        if "author" in request:
            request = {**request, "author": self.model.authors[request["author"]]}
        page = (await self.clients[who].ok(event, request))["payload"]
        assert ([entry["key"] for entry in page["entries"]], page["count"], page["total"]) == (keys, len(keys), total)
        for entry in page["entries"]:
            self._compare(entry)

    def _compare(self, entry: dict[str, Any]) -> None:
        expected = self.model.entries[entry["key"]]
        for name in ("value", "type", "tags", "metadata", "author"):
            assert entry[name] == expected[name], name
        assert entry["version"] == self.model.versions[entry["key"]]
        assert (entry["ttl"] is not None) == expected["expires"]

    async def end(self) -> None:
        """In the end all readings are counted, and each change was pushed once."""
        counted: dict[str, int] = {}
        while counted != (expected := {key: self.model.readings[key] for key in self.model.entries}):  # or the time limit
            page = (await self.clients[0].ok("memory:list"))["payload"]
            counted = {entry["key"]: entry["access_count"] for entry in page["entries"]}
            assert all(count <= expected[key] for key, count in counted.items())
        client, pushed = self.clients[1], self.model.pushed
        await client.expect(lambda _: len(client.pushes("memory:changed")) >= len(pushed))
        pushes = [push["payload"] for push in client.pushes("memory:changed")]
        assert sorted((p["key"], p["action"], p["author"], p["version"]) for p in pushes) == sorted(pushed)


def _outcome(answer: Message) -> tuple[str, int]:
    response = answer.response
    return ("ok" if answer.status == "ok" else response["reason"]), response.get("version", 0)


@pytest.mark.timeout(300)
async def test_memory_is_a_dictionary(hub: TestHub) -> None:
    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(STEPS)
    def check(steps: list[tuple[int, tuple[str, dict[str, Any]]]]) -> None:
        asyncio.run_coroutine_threadsafe(compare(hub, steps), loop).result()

    loop = asyncio.get_running_loop()
    await asyncio.to_thread(check)


async def compare(hub: TestHub, steps: list[tuple[int, tuple[str, dict[str, Any]]]]) -> None:
    """Run the steps in a fleet of their own."""
    async with AsyncExitStack() as stack:
        fleet = Fleet(hub, await bootstrap(hub.hub.store, tenant=str(uuid4())), stack)
        joined = [await fleet.join(name) for name in ("one", "two")]
        comparison = Comparison([client for client, _ in joined], Model([agent_id for _, agent_id in joined]))
        await comparison.clients[1].ok("memory:subscribe", {"pattern": "*"})
        for who, (operation, request) in steps:
            await comparison.step(who, operation, request)
        await comparison.end()
