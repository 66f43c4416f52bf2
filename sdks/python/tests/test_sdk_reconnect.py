"""Connections break; nobody misses an event, sees one twice, or does a thing twice."""

from __future__ import annotations

import asyncio
import random

import pytest
from ringforge import Agent, ConnectionLost, Joined, Left
from ringforge import session as session_module


def tell_directly(hub, name="teller"):
    """An agent whose connection is never cut."""
    return Agent(f"ws://127.0.0.1:{hub.port}", api_key=hub.api_key, name=name, key_directory=None)


async def until_only(agent, *allowed):
    """Wait until the roster that the agent asks for holds nothing but one of the `allowed` sets of names."""
    async with asyncio.timeout(15):
        while {entry.name for entry in await agent.presence.roster()} not in allowed:  # noqa: ASYNC110 — the hub is asked
            await asyncio.sleep(0.2)


async def descriptions(stream, number, seconds=30):
    async with asyncio.timeout(seconds):
        return [(await anext(stream)).description for _ in range(number)]


@pytest.mark.parametrize("seed", range(4))
async def test_a_stream_over_a_wire_that_is_cut_again_and_again_has_every_event_once_in_order(agent_of, wire, seed):
    chance = random.Random(seed)  # noqa: S311 — a test's dice
    async with agent_of("teller") as teller, agent_of("listener") as listener:
        heard = asyncio.create_task(descriptions(aiter(listener.activity), 150))

        async def tell():
            return [await teller.activity.broadcast("custom", str(number)) for number in range(150)]

        async def cut():
            for _ in range(6):
                await asyncio.sleep(chance.uniform(0.0, 0.4))
                wire.cut()

        told, _ = await asyncio.gather(tell(), cut())
        assert len(set(told)) == 150
        assert await heard == [str(number) for number in range(150)]
        assert wire.connects > 2


async def test_what_was_told_during_an_outage_comes_afterwards_before_anything_newer(agent_of, hub, wire, until):
    async with tell_directly(hub) as teller, agent_of() as listener:
        stream, own_id = aiter(listener.activity), listener.id
        await listener.activity.subscribe(["deploy"])
        wire.down = True
        wire.cut()
        await until(lambda: not listener.connected)
        for number in range(20):
            await teller.activity.broadcast("custom", str(number))
        await teller.activity.broadcast("custom", "20", tags=["deploy"], scope="tagged")
        wire.down = False
        await until(lambda: listener.connected)
        await teller.activity.broadcast("custom", "21")
        assert await descriptions(stream, 22) == [str(number) for number in range(22)]
        assert listener.id == own_id


async def test_requests_made_during_an_outage_are_done_after_it_in_their_order(agent_of, wire, until):
    async with agent_of("patient") as agent:
        stream = aiter(agent.activity)
        wire.down = True
        wire.cut()
        await until(lambda: not agent.connected)
        waiting = [asyncio.create_task(agent.activity.broadcast("custom", str(number))) for number in range(5)]
        await until(lambda: wire.connects > 1)
        wire.down = False
        async with asyncio.timeout(20):
            await asyncio.gather(*waiting)
        assert await descriptions(stream, 5) == ["0", "1", "2", "3", "4"]


async def test_a_request_waits_no_longer_than_its_timeout(agent_of, wire, until):
    async with agent_of("hasty", timeout=0.3) as agent:
        wire.down = True
        wire.cut()
        await until(lambda: not agent.connected)
        with pytest.raises(ConnectionLost):
            await agent.activity.broadcast("custom")


async def test_presence_is_as_it_was_after_a_reconnect(agent_of, hub, wire, until):
    async with tell_directly(hub, "watcher") as watcher, agent_of("worker") as worker:
        await worker.presence.update(state="busy", task="build")
        wire.cut()
        await until(lambda: not worker.connected)
        await until(lambda: worker.connected)
        [entry] = [entry for entry in await watcher.presence.roster() if entry.agent_id == worker.id]
        assert (entry.state, entry.task) == ("busy", "build")
        await until(lambda: watcher.presence.agents[worker.id].task == "build")


async def test_who_came_and_went_during_an_outage_is_told_after_it(agent_of, hub, wire, until):
    gone, new = tell_directly(hub, "gone"), tell_directly(hub, "new")
    async with agent_of("watcher") as watcher:
        await gone.connect()
        await until(lambda: gone.id in watcher.presence.agents)
        changes = watcher.presence.changes()
        wire.down = True
        wire.cut()
        await until(lambda: not watcher.connected)
        await gone.close()
        async with new:
            await until_only(new, {"new", "watcher"}, {"new"})
            wire.down = False
            async with asyncio.timeout(15):
                told = {(Left, "gone"), (Joined, "new")}
                while told:
                    change = await anext(changes)
                    told.discard((type(change), change.agent.name))


async def test_a_slow_reader_misses_nothing_keeps_little_and_holds_up_nobody(agent_of, monkeypatch):
    monkeypatch.setattr(session_module, "CATCH_UP_PAUSE", 0.05)
    async with agent_of("teller") as teller, agent_of("listener") as listener:
        slow, quick = listener.activity.stream(buffer=8), listener.activity.stream()
        for number in range(60):
            await teller.activity.broadcast("custom", str(number))
        everything = [str(number) for number in range(60)]
        assert await descriptions(quick, 60) == everything
        assert slow.lagging
        assert len(slow._waiting) == 8
        assert await descriptions(slow, 60) == everything
        await teller.activity.broadcast("custom", "60")
        assert await descriptions(quick, 1) == ["60"]
        assert await descriptions(slow, 1) == ["60"]


async def test_a_new_process_continues_where_the_old_one_stopped(agent_of, hub):
    async with tell_directly(hub) as teller:
        async with agent_of("worker") as first:
            stream = aiter(first.activity)
            await teller.activity.broadcast("custom", "seen")
            async with asyncio.timeout(10):
                seen = await anext(stream)
        await teller.activity.broadcast("custom", "missed")
        second = agent_of("worker")
        before_connect = second.activity.stream(since=seen.position)
        async with second:
            after_connect = second.activity.stream(since=seen.position)
            await teller.activity.broadcast("custom", "live")
            assert await descriptions(before_connect, 2) == ["missed", "live"]
            assert await descriptions(after_connect, 2) == ["missed", "live"]


async def test_close_during_an_outage_ends_all_that_waits(agent_of, wire, until):
    agent = agent_of("leaving")
    await agent.connect()
    wire.down = True
    wire.cut()
    await until(lambda: not agent.connected)
    request = asyncio.create_task(agent.activity.broadcast("custom"))
    reader = asyncio.create_task(anext(agent.activity.stream(), "ended"))
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await agent.close()
        assert await reader == "ended"
        with pytest.raises(ConnectionLost, match="closed"):
            await request
