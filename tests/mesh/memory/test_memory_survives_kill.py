"""The memory under `kill -9`: nothing acknowledged is lost, every change is heard once, the quota equals the rows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from mesh_fleet import Fleet
from websockets.exceptions import ConnectionClosed

from ringforge_core.limits import LimitsSettings, Quotas, read_usage
from ringforge_core.store import SqlStore
from ringforge_core.testkit.hub_process import HubProcess
from ringforge_core.testkit.phoenix_client import PhoenixClient

KILLS = 4
CHANGES_BEFORE_A_KILL = 150


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        new: str = await request.getfixturevalue("postgres").new_database()
        return new
    return f"sqlite:///{tmp_path / 'hub.db'}"


@pytest.fixture
async def fleet(url: str, tmp_path: Path) -> AsyncIterator[Fleet]:
    hub = HubProcess(tmp_path / "hub", settings={"RINGFORGE__STORE__URL": url})
    await hub.start()
    async with AsyncExitStack() as stack:
        yield Fleet(hub, await hub.bootstrap(), stack)  # type: ignore[arg-type]  # the keys under the same names
    await hub.stop()


def heard(client: PhoenixClient) -> list[tuple[str, str]]:
    return [(push["payload"]["action"], push["payload"]["key"]) for push in client.pushes("memory:changed")]


async def test_d64_subscriptions_survive_and_bring_what_was_missed(fleet: Fleet) -> None:
    writer, _ = await fleet.join("writer")
    agent, _ = await fleet.join("agent")
    await agent.ok("memory:subscribe", {"pattern": "k*"})
    await writer.ok("memory:set", {"key": "k1"})
    seen = await agent.expect_push("memory:changed")
    await agent.__aexit__(None, None, None)
    for key in ("k2", "not followed"):
        await writer.ok("memory:set", {"key": key})
    await fleet.hub.restart()
    again = await fleet.connect("agent")
    await again.join({"payload": {}, "resume": {"epoch": seen["epoch"], "seq": seen["seq"]}})
    await again.ok("memory:set", {"key": "k3"})
    await again.expect(lambda m: m.event == "memory:changed" and m.payload["payload"]["key"] == "k3")
    assert heard(again) == [("set", "k2"), ("set", "k3")]


class Writer:
    """Sets and deletes keys of its own; knows what was acknowledged, and of what it cannot know."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.acknowledged: dict[str, Any] = {}
        self.doubtful: dict[str, Any] = {}
        """The change that no answer came for: it may have happened or not."""
        self.versions: dict[str, int] = {}
        self.done = 0

    async def work(self, client: PhoenixClient) -> None:
        """Until the hub dies."""
        while True:
            key = f"{self.name}/{self.done % 7}"
            deletes = self.done % 5 == 4 and key in self.acknowledged
            value = None if deletes else [self.name, self.done]
            self.done += 1
            self.doubtful = {key: value}
            try:
                if deletes:
                    await client.ok("memory:delete", {"key": key})
                else:
                    reply = await client.ok("memory:set", {"key": key, "value": value})
                    assert reply["version"] > self.versions.get(key, 0)
                    self.versions[key] = reply["version"]
            except (ConnectionClosed, AssertionError):
                if client.closed is None:
                    raise
                return
            self.note(key, value)
            self.doubtful = {}

    def note(self, key: str, value: Any) -> None:
        self.acknowledged[key] = value
        if value is None:
            del self.acknowledged[key]

    async def settle(self, client: PhoenixClient) -> None:
        """See what became of the doubtful change."""
        for key, value in self.doubtful.items():
            answer = await client.call("memory:get", {"key": key})
            found = answer.response["payload"]["value"] if answer.status == "ok" else None
            assert found in (value, self.acknowledged.get(key)), key
            self.note(key, found)


@pytest.mark.timeout(240)
async def test_no_acknowledged_change_is_lost_over_kills_under_load(fleet: Fleet, url: str) -> None:
    writers = [Writer(f"writer-{number}") for number in range(8)]
    for _ in range(KILLS):
        clients = [(await fleet.join(writer.name))[0] for writer in writers]
        for writer, client in zip(writers, clients, strict=True):
            await writer.settle(client)
        before = sum(writer.done for writer in writers)
        working = [asyncio.create_task(writer.work(client)) for writer, client in zip(writers, clients, strict=True)]
        while sum(writer.done for writer in writers) < before + CHANGES_BEFORE_A_KILL:
            done, _ = await asyncio.wait(working, timeout=0.01)
            assert not done
        await fleet.hub.restart()
        await asyncio.gather(*working)
    auditor, _ = await fleet.join("auditor")
    for writer in writers:
        await writer.settle(auditor)
    expected = {key: value for writer in writers for key, value in writer.acknowledged.items()}
    page = (await auditor.ok("memory:list", {"limit": 500}))["payload"]
    assert {entry["key"]: entry["value"] for entry in page["entries"]} == expected
    found = (await auditor.ok("memory:query", {"text_search": "writer", "limit": 500}))["payload"]
    assert {entry["key"] for entry in found["entries"]} == expected.keys(), "the index of words has survived, too"
    store = SqlStore(url)
    await store.open(exclusive=False)
    usage = await read_usage(store, Quotas(LimitsSettings()), fleet.keys.tenant_id)
    await store.close()
    assert usage.usage["memory_entries"].used == len(expected)
