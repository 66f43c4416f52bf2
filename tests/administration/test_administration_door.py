"""The door for pages: somebody watches a fleet and acts in it, and nobody of another tenant does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from ringforge_core.errors import NotFound, Refused
from ringforge_core.plugin.administration import Operator, Position, Told, Watch
from ringforge_core.ports.event_bus import Event
from ringforge_core.testkit.hub import TestHub, running_hub
from ringforge_core.testkit.phoenix_client import PhoenixClient

DEADLINE = 10.0


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[TestHub]:
    async with running_hub(tmp_path) as running:
        yield running


def agent(hub: TestHub, name: str) -> PhoenixClient:
    return PhoenixClient(hub.websocket_url, api_key=hub.keys.agent_key, agent={"name": name})


def operator(hub: TestHub) -> Operator:
    return Operator(tenant_id=hub.keys.tenant_id, user_id="user-1", name="Olga", address="192.0.2.1")


async def until(watch: Watch, matches: Callable[[Event | Told], bool]) -> Any:
    """The first happening that matches."""
    async with asyncio.timeout(DEADLINE):
        while (happenings := await watch.next()) is not None:
            for each in happenings:
                if matches(each):
                    return each
    raise AssertionError("the watch is over")


def is_push(push: str) -> Callable[[Event | Told], bool]:
    return lambda happening: happening.push == push


async def test_a_watcher_sees_agents_come_act_and_go_and_is_not_seen(hub: TestHub) -> None:
    keys, administration = hub.keys, hub.hub.administration
    async with administration.watch(keys.tenant_id, keys.fleet_id) as watch:
        async with agent(hub, "ada") as ada:
            joined = await ada.join()
            assert b"ada" in (await until(watch, is_push("presence:joined"))).body
            assert [each.name for each in administration.present(keys.tenant_id, keys.fleet_id)] == ["ada"]
            assert len((await ada.ok("presence:roster"))["payload"]["agents"]) == 1
            await ada.ok("activity:broadcast", {"kind": "custom", "description": "hello"})
            event = await until(watch, is_push("activity:broadcast"))
            assert event.seq == joined["seq"] + 1
        await until(watch, is_push("presence:left"))


async def test_a_watcher_comes_back_to_what_it_missed(hub: TestHub) -> None:
    keys, administration = hub.keys, hub.hub.administration
    async with agent(hub, "ada") as ada:
        await ada.join()
        seen = await administration.position(keys.tenant_id, keys.fleet_id)
        for number in range(300):  # more than a room remembers
            await ada.ok("activity:broadcast", {"kind": "custom", "description": str(number)})
        async with administration.watch(keys.tenant_id, keys.fleet_id, after=seen) as watch:
            assert not watch.gap
            events = await watch.next() or ()
            assert [event.seq for event in events if isinstance(event, Event)] == list(range(seen.seq + 1, seen.seq + 301))
        strange = Position("another-epoch", seen.seq)
        async with administration.watch(keys.tenant_id, keys.fleet_id, after=strange) as watch:
            assert watch.gap


async def test_the_operator_writes_to_an_agent_and_hears_it(hub: TestHub) -> None:
    keys, administration = hub.keys, hub.hub.administration
    async with agent(hub, "ada") as ada, administration.watch(keys.tenant_id, keys.fleet_id) as watch:
        ada_id = (await ada.join())["agent_id"]
        request = {"to": ada_id, "message": {"text": "hi"}}
        sent = await administration.say(operator(hub), keys.fleet_id, "direct:send", request)
        assert sent["status"] == "delivered"
        message = (await ada.expect_push("direct:message"))["payload"]
        assert message["from"] == {"agent_id": "dashboard", "name": "Olga"}
        await until(watch, is_push("message:receipt"))
        await ada.ok("direct:send", {"to": "dashboard", "message": {"text": "hello"}})
        await until(watch, lambda each: is_push("direct:message")(each) and b"hello" in bytes(each.body))
        history = await administration.say(operator(hub), keys.fleet_id, "direct:history", {"with": ada_id})
        assert [each["message"]["text"] for each in history["messages"]] == ["hi", "hello"]
        with pytest.raises(Refused, match="No capability"):
            await administration.say(operator(hub), keys.fleet_id, "no:such", {})


async def test_who_is_blocked_is_out_until_let_in_again(hub: TestHub) -> None:
    administration = hub.hub.administration
    async with agent(hub, "ada") as ada:
        ada_id = (await ada.join())["agent_id"]
        await administration.kick_agent(operator(hub), ada_id, block=False)
        assert await ada.expect_close() == (1008, "kicked by the operator")
    async with agent(hub, "ada") as ada:
        await ada.join()
        await administration.kick_agent(operator(hub), ada_id, block=True)
        assert await ada.expect_close() == (1008, "blocked by the operator")
    with pytest.raises(Exception, match="403"):
        await agent(hub, "ada").__aenter__()
    await administration.unblock_agent(operator(hub), ada_id)
    async with agent(hub, "ada") as ada:
        await ada.join()
    actions = [each.action for each in await administration.audit(hub.keys.tenant_id)]
    assert [each for each in actions if each.endswith(("kicked", "blocked"))] == [
        "agent.unblocked", "agent.blocked", "agent.kicked",
    ]  # fmt: skip


async def test_nothing_of_another_tenant_is_found(hub: TestHub) -> None:
    administration, fleet_id = hub.hub.administration, hub.keys.fleet_id
    async with agent(hub, "ada") as ada:
        ada_id = (await ada.join())["agent_id"]
    other = (await hub.tenant("other")).tenant_id
    stranger = Operator(tenant_id=other, user_id="user-2", name="Eve")
    for work in (
        administration.agent(other, ada_id),
        administration.kick_agent(stranger, ada_id, block=True),
        administration.unblock_agent(stranger, ada_id),
        administration.rename_agent(stranger, ada_id, "eve"),
        administration.delete_agent(stranger, ada_id),
        administration.position(other, fleet_id),
        administration.say(stranger, fleet_id, "memory:list", {}),
        administration.watch(other, fleet_id).__aenter__(),
        administration.create_key(stranger, kind="live", fleet_id=fleet_id),
    ):
        with pytest.raises(NotFound):
            await work
    assert (await administration.agents(other, fleet_id=fleet_id)).items == []


async def test_a_watch_ends_with_the_hub(tmp_path: Path) -> None:
    async with running_hub(tmp_path) as hub:
        watching = hub.hub.administration.watch(hub.keys.tenant_id, hub.keys.fleet_id)
        watch = await watching.__aenter__()
        await hub.hub.gateway.drain(seconds=0)
        assert await watch.next() is None
        await watching.__aexit__(None, None, None)
        async with asyncio.timeout(DEADLINE), hub.hub.administration.watch(hub.keys.tenant_id, hub.keys.fleet_id) as late:
            assert await late.next() is None, "who comes while the hub stops does not hold it up"
