"""What an agent's developer sees in a healthy fleet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from ringforge import (
    ActivityEvent,
    Agent,
    AuthenticationError,
    ConnectionLost,
    InvalidPayload,
    Joined,
    Left,
    RingforgeError,
    StateChanged,
)


async def take(stream: AsyncIterator[Any], number: int) -> list[Any]:
    async with asyncio.timeout(10):
        return [await anext(stream) for _ in range(number)]


async def test_the_ten_lines(agent_of):
    async with agent_of("builder", framework="demo", capabilities=["python"]) as agent:
        events = aiter(agent.activity)
        await agent.presence.update(state="busy", task="compiling")
        event_id = await agent.activity.broadcast("task_started", "Compiling", tags=["build"], data={"step": 1})
        [event] = await take(events, 1)
    assert isinstance(event, ActivityEvent)
    assert (event.event_id, event.sender.agent_id, event.kind) == (event_id, agent.id, "task_started")
    assert (event.description, event.tags, event.data) == ("Compiling", ("build",), {"step": 1})
    assert event.position is not None
    assert event.timestamp.tzinfo is not None
    assert agent.name == "builder"


async def test_a_stream_begins_where_it_is_opened_and_ends_with_the_agent(agent_of):
    agent = agent_of("one")
    early = agent.activity.stream()
    async with agent:
        await agent.activity.broadcast("custom", "before")
        late = agent.activity.stream()
        await agent.activity.broadcast("custom", "after")
        await take(late, 1)
    assert [event.description async for event in early] == ["before", "after"]
    assert [event async for event in late] == []
    assert [event async for event in agent.activity.stream()] == []


async def test_tagged_and_direct_reach_only_whom_they_are_for(agent_of):
    async with agent_of("sender") as sender, agent_of("follower") as follower, agent_of("other") as other:
        at_follower, at_other = aiter(follower.activity), aiter(other.activity)
        assert await follower.activity.subscribe(["deploy", "db"]) == ["db", "deploy"]
        assert await follower.activity.unsubscribe(["db"]) == ["deploy"]
        await sender.activity.broadcast("custom", "tagged", tags=["deploy"], scope="tagged")
        await sender.activity.broadcast("custom", "direct", scope="direct", to=other.id)
        await sender.activity.broadcast("custom", "all")
        assert [event.description for event in await take(at_follower, 2)] == ["tagged", "all"]
        assert [event.description for event in await take(at_other, 2)] == ["direct", "all"]


async def test_presence_keeps_the_roster_and_tells_of_changes(agent_of, until):
    async with agent_of("watcher") as watcher:
        await until(lambda: watcher.id in watcher.presence.agents)
        changes = watcher.presence.changes()
        worker = agent_of("worker", framework="demo", capabilities=["go"])
        await worker.connect()
        [joined] = await take(changes, 1)
        assert isinstance(joined, Joined)
        assert (joined.agent.agent_id, joined.agent.framework, joined.agent.capabilities) == (worker.id, "demo", ("go",))
        await worker.presence.update(state="busy", task="build", load=0.5)
        [changed] = await take(changes, 1)
        assert isinstance(changed, StateChanged)
        assert (changed.before.state, changed.agent.state, changed.agent.task) == ("online", "busy", "build")
        await worker.presence.update(task=None)
        [cleared] = await take(changes, 1)
        assert (cleared.agent.state, cleared.agent.task, cleared.agent.load) == ("busy", None, 0.5)
        assert {entry.name for entry in await watcher.presence.roster()} == {"watcher", "worker"}
        await worker.close()
        [left] = await take(changes, 1)
        assert isinstance(left, Left)
        assert left.agent.name == "worker"
        assert set(watcher.presence.agents) == {watcher.id}


async def test_changes_that_nobody_has_read_yet_become_one(agent_of, until):
    async with agent_of("watcher") as watcher, agent_of("worker") as worker:
        await until(lambda: worker.id in watcher.presence.agents)
        changes = watcher.presence.changes()
        for step in range(5):
            await worker.presence.update(state="busy", task=f"step {step}")
        await until(lambda: watcher.presence.agents[worker.id].task == "step 4")
        [change] = await take(changes, 1)
        assert (change.before.state, change.before.task, change.agent.task) == ("online", None, "step 4")
        await worker.presence.update(task="last")
        [change] = await take(changes, 1)
        assert (change.before.task, change.agent.task) == ("step 4", "last")


async def test_many_requests_at_once_get_each_its_own_reply(agent_of):
    async with agent_of("busy") as agent:
        ids = await asyncio.gather(*(agent.activity.broadcast("custom", str(n)) for n in range(40)))
        history = await agent.activity.history(limit=40)
        assert [event.event_id for event in history] == ids
        assert [event.description for event in history] == [str(n) for n in range(40)]


async def test_replay_goes_through_all_pages(agent_of):
    async with agent_of("historian") as agent:
        for number in range(23):
            await agent.activity.broadcast("discovery", str(number))
        page = await agent.replay.request(kinds=["discovery"], limit=5)
        assert [event.description for event in page.events] == ["0", "1", "2", "3", "4"]
        assert page.next_cursor is not None
        every = [event.description async for event in agent.replay.all(kinds=["discovery"])]
        assert every == [str(number) for number in range(23)]


async def test_handlers_and_raw_pushes_see_any_event_of_any_capability(agent_of):
    agent = agent_of("listener")
    heard: asyncio.Queue[str] = asyncio.Queue()

    @agent.on("activity:broadcast")
    async def hear(push):
        if push.payload["description"] == "bad":
            raise ValueError("a handler's fault")
        heard.put_nowait(push.payload["description"])

    async with agent:
        raw = agent.events("activity:broadcast", "presence:state_changed")
        for text in ("bad", "good"):
            await agent.activity.broadcast("custom", text)
        async with asyncio.timeout(10):
            assert await heard.get() == "good"
        pushes = await take(raw, 2)
        assert [push.payload["description"] for push in pushes] == ["bad", "good"]
        assert pushes[0].position.seq < pushes[1].position.seq


async def test_a_refusal_is_a_typed_error_with_a_fix_and_the_connection_lives_on(agent_of):
    async with agent_of("careless") as agent:
        with pytest.raises(InvalidPayload) as caught:
            await agent.activity.broadcast("nonsense")
        assert caught.value.reason == "invalid_activity_kind"
        assert caught.value.field
        with pytest.raises(RingforgeError, match="unknown_event"):
            await agent.request("no:such_event", {})
        await agent.activity.broadcast("custom", "still here")


async def test_a_request_that_the_hub_would_close_over_is_refused_here(agent_of):
    async with agent_of("verbose") as agent:
        with pytest.raises(InvalidPayload, match="payload_too_large"):
            await agent.activity.broadcast("custom", "x" * 2**20)
        await agent.activity.broadcast("custom", "short")


async def test_a_wrong_key_is_refused_at_once(wire):
    with pytest.raises(AuthenticationError, match="key"):
        await Agent(wire.url, api_key="rf_live_wrong", connect_timeout=5).connect()
    assert wire.connects == 1


async def test_no_hub_at_the_address(unused_tcp_port):
    agent = Agent(f"ws://127.0.0.1:{unused_tcp_port}", api_key="k", connect_timeout=0.5)
    with pytest.raises(ConnectionLost, match="unreachable"):
        await agent.connect()
    with pytest.raises(ConnectionLost):
        await agent.activity.broadcast("custom")


@pytest.mark.parametrize("url", ["http://hub", "ws://", "ws://key@hub", "ws://hub?api_key=x", "hub:4000"])
def test_an_address_that_cannot_be_right_is_refused(url):
    with pytest.raises(ValueError, match="address"):
        Agent(url, api_key="k")


async def test_after_close_nothing_of_the_agent_is_left(agent_of, until):
    before = asyncio.all_tasks()
    agent = agent_of("gone")
    agent.on("activity:broadcast")(lambda push: asyncio.sleep(0))
    await agent.connect()
    waiting = asyncio.create_task(anext(agent.activity.stream(), "ended"))
    await asyncio.sleep(0)
    await agent.close()
    await agent.close()
    assert await waiting == "ended"
    assert {task for task in asyncio.all_tasks() - before if "ringforge" in repr(task.get_coro())} == set()
    with pytest.raises(ConnectionLost, match="closed"):
        await agent.activity.broadcast("custom")
