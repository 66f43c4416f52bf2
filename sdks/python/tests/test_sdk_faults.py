"""A hub that misbehaves, refuses, or has forgotten."""

from __future__ import annotations

import asyncio
import logging
import ssl
from contextlib import suppress

import pytest
from ringforge import (
    Agent,
    AuthenticationError,
    ConnectionLost,
    Gap,
    Kicked,
    Push,
    QuotaExceeded,
    RequestTimeout,
    RingforgeError,
    UnexpectedReply,
)
from ringforge import channel as channel_module


@pytest.fixture
def hub(fake_hub):
    return fake_hub


async def take(stream, number):
    async with asyncio.timeout(10):
        return [await anext(stream) for _ in range(number)]


async def test_a_reply_lost_on_the_way_does_not_make_the_change_twice(agent_of, fake_hub):
    async def cut_once(event, connection):
        if event == "activity:broadcast" and fake_hub.seen[event] == 1:
            connection.transport.abort()
            return True
        return False

    fake_hub.before_reply = cut_once
    async with agent_of("careful") as agent:
        event_id = await agent.activity.broadcast("custom", "once")
        assert fake_hub.seen["activity:broadcast"] == 2
        assert [entry["payload"]["event_id"] for entry in fake_hub.log] == [event_id]


async def test_a_request_that_may_not_be_doubled_is_not_sent_again(agent_of, fake_hub):
    async def cut(event, connection):
        connection.transport.abort()
        return True

    async with agent_of("careful") as agent:
        fake_hub.before_reply = cut
        with pytest.raises(ConnectionLost) as caught:
            await agent.request("file:delete", {"file_id": "f"})
        assert caught.value.extras["code"] == 1006
        fake_hub.before_reply = None
        await agent.activity.broadcast("custom")
        assert fake_hub.seen["file:delete"] == 1


async def test_no_reply_is_a_timeout(agent_of, fake_hub):
    async def swallow(event, connection):
        return event == "activity:broadcast"

    fake_hub.before_reply = swallow
    async with agent_of("waiting", timeout=0.2) as agent:
        with pytest.raises(RequestTimeout):
            await agent.activity.broadcast("custom")
        assert agent.connected


async def test_a_kick_is_final_and_everybody_hears_why(agent_of, fake_hub):
    async with agent_of("kicked") as agent:
        stream = aiter(agent.activity)
        changes = agent.presence.changes()
        await fake_hub.tell("last words")
        await take(stream, 1)
        await fake_hub.close_all(1008, "key revoked")
        with pytest.raises(Kicked, match="key revoked"):
            await take(stream, 1)
        with pytest.raises(Kicked):
            await take(changes, 10)
        with pytest.raises(Kicked):
            await agent.activity.broadcast("custom")
        with pytest.raises(Kicked):
            await take(aiter(agent.activity), 1)
        assert fake_hub.seen["phx_join"] == 1


async def test_a_key_revoked_during_an_outage_ends_the_agent(agent_of, fake_hub):
    async with agent_of("revoked") as agent:
        stream = aiter(agent.activity)
        fake_hub.api_key = "rf_live_another"
        fake_hub.abort_all()
        with pytest.raises(AuthenticationError):
            await take(stream, 1)


@pytest.mark.parametrize("code", [1001, 1002, 1011, 1012])
async def test_other_close_codes_bring_it_back(agent_of, fake_hub, until, code):
    async with agent_of("steady") as agent:
        stream = aiter(agent.activity)
        await fake_hub.close_all(code)
        await fake_hub.tell("meanwhile")
        [event] = await take(stream, 1)
        assert event.description == "meanwhile"


async def test_draining_is_told_and_the_return_is_quick(agent_of, fake_hub, until):
    async with agent_of("steady") as agent:
        drains = agent.events("system:node_draining")
        await fake_hub.push("system:node_draining", {"node": "a", "reconnect_after_ms": 1000})
        await take(drains, 1)
        for _ in range(6):
            await fake_hub.close_all(1012)
            await until(lambda: not agent.connected, 1)
            await until(lambda: agent.connected, 1)


async def test_a_gap_stands_in_its_place_and_is_told(agent_of, fake_hub, until):
    gaps: list[Gap] = []
    async with agent_of("late") as agent:
        agent.on_gap(gaps.append)
        raw, activity = agent.events("activity:broadcast"), aiter(agent.activity)
        await fake_hub.tell("1")
        await take(raw, 1)
        fake_hub.abort_all()
        for text in ("2", "3", "4", "5"):
            await fake_hub.tell(text)
        fake_hub.trim(oldest=4)
        gap, *pushes = await take(raw, 3)
        assert isinstance(gap, Gap)
        assert (gap.after.seq, gap.until.seq, gap.missed) == (1, 3, 2)
        assert [push.payload["description"] for push in pushes if isinstance(push, Push)] == ["4", "5"]
        assert [event.description for event in await take(activity, 3)] == ["1", "4", "5"]
        assert gaps == [gap]


async def test_a_log_that_began_anew_is_a_gap_of_unknown_size_and_goes_on(agent_of, fake_hub):
    async with agent_of("confused") as agent:
        raw = agent.events("activity:broadcast")
        for text in ("1", "2", "3"):
            await fake_hub.tell(text)
        await take(raw, 3)
        fake_hub.begin_new_epoch()
        fake_hub.abort_all()
        gap = (await take(raw, 1))[0]
        assert isinstance(gap, Gap)
        assert gap.missed is None
        await fake_hub.tell("first of the new")
        [push] = await take(raw, 1)
        assert (push.position.epoch, push.position.seq) == (fake_hub.epoch, 1)


async def test_a_full_plan_is_told_at_once(agent_of, fake_hub):
    fake_hub.refuse_join = {
        "reason": "quota_exceeded",
        "message": "Full.",
        "fix": "Upgrade.",
        "resource": "connected_agents",
    }
    with pytest.raises(QuotaExceeded) as caught:
        await agent_of("eleventh").connect()
    assert fake_hub.seen["phx_join"] == 1
    assert caught.value.resource == "connected_agents"
    assert caught.value.fix == "Upgrade."


async def test_a_join_that_came_too_soon_is_repeated_when_the_hub_says(agent_of, fake_hub, until):
    fake_hub.refuse_join = {"reason": "rate_limited", "message": "Slow down.", "fix": "", "retry_after_ms": 300}
    agent = agent_of("eager")
    connecting = asyncio.create_task(agent.connect())
    await until(lambda: fake_hub.seen["phx_join"] == 1)
    fake_hub.refuse_join = None
    began = asyncio.get_running_loop().time()
    await connecting
    assert asyncio.get_running_loop().time() - began > 0.25


async def test_a_hub_that_falls_silent_is_left(agent_of, fake_hub, until, monkeypatch):
    monkeypatch.setattr(channel_module, "REPLY_TIMEOUT", 0.1)
    fake_hub.heartbeat_ms = 50
    async with agent_of("listening") as agent:
        await until(lambda: fake_hub.seen["heartbeat"] >= 2)
        assert agent.connected
        fake_hub.listening.clear()
        await until(lambda: not agent.connected)
        fake_hub.listening.set()
        await until(lambda: agent.connected)


async def test_a_message_that_makes_no_sense_harms_nothing(agent_of, fake_hub):
    async with agent_of("tolerant") as agent:
        stream = aiter(agent.activity)
        for member in fake_hub.members.values():
            for text in ("", "{", "[]", '["1"]', '["1",null,"fleet:lobby","x",7]'):
                await member.connection.send(text)
        await fake_hub.publish("activity:broadcast", {"nothing": "of an event"})
        await fake_hub.push("presence:joined", {"no": "agent_id"})
        await fake_hub.tell("sense")
        [event] = await take(stream, 1)
        assert event.description == "sense"


async def test_a_reply_of_an_unknown_shape_is_an_error_of_its_own(agent_of, fake_hub, monkeypatch):
    async with agent_of("tolerant") as agent:

        async def nonsense(*_):
            return {"event_id": None}

        monkeypatch.setattr(fake_hub, "_do", nonsense)
        with pytest.raises(UnexpectedReply, match="activity:broadcast"):
            await agent.activity.broadcast("custom")


async def test_a_hub_of_another_make_is_told_apart(agent_of, fake_hub, monkeypatch):
    fake_hub.heartbeat_ms = "soon"
    with pytest.raises(UnexpectedReply, match="no Ringforge hub"):
        await agent_of("lost", connect_timeout=0.5).connect()


async def test_a_channel_that_the_hub_ends_is_joined_again(agent_of, fake_hub, until):
    async with agent_of("steady") as agent:
        for member in fake_hub.members.values():
            await member.connection.send('["1","1","fleet:lobby","phx_error",{}]')
        await until(lambda: fake_hub.seen["phx_join"] == 2)
        await agent.activity.broadcast("custom")


async def test_unlogged_pushes_past_the_bound_are_dropped_and_counted(agent_of, fake_hub, until):
    async with agent_of("slow") as agent:
        stream = agent.events("message:typing", buffer=3)
        for number in range(5):
            await fake_hub.push("message:typing", {"number": number})
        await until(lambda: stream.dropped)
        await until(lambda: stream.dropped == 2)
        assert [push.payload["number"] for push in await take(stream, 3)] == [0, 1, 2]


async def test_the_key_is_in_no_url_and_in_no_log(agent_of, fake_hub, caplog):
    caplog.set_level(logging.DEBUG)
    async with agent_of("discreet") as agent:
        fake_hub.abort_all()
        await agent.activity.broadcast("custom")
        assert fake_hub.api_key not in repr(agent)
    assert all(fake_hub.api_key not in request.path for request in fake_hub.requests)
    client = [record for record in caplog.records if not record.name.startswith("websockets.server")]
    assert all(fake_hub.api_key not in record.getMessage() for record in client)


async def test_over_tls_only_a_trusted_hub_gets_the_key(tls_hub):
    hub, authority = tls_hub
    url = f"wss://127.0.0.1:{hub.port}"
    with pytest.raises(ConnectionLost, match="certificate"):
        await Agent(url, api_key=hub.api_key, connect_timeout=0.3).connect()
    assert hub.requests == []
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with Agent(url, api_key=hub.api_key, tls=trusting) as agent:
        await agent.activity.broadcast("custom")
    with pytest.raises(ValueError, match="wss"):
        Agent(f"ws://127.0.0.1:{hub.port}", api_key=hub.api_key, tls=trusting)


async def test_an_agent_without_a_name_comes_back_as_itself(agent_of, fake_hub, until):
    async with agent_of() as agent:
        fake_hub.abort_all()
        await until(lambda: fake_hub.seen["phx_join"] == 2)
        await agent.activity.broadcast("custom")
        assert len(fake_hub.agents) == 1


async def test_tags_are_followed_again_at_a_hub_that_forgot_them(agent_of, fake_hub, until):
    async with agent_of("follower") as agent:
        await agent.activity.subscribe(["deploy"])
        fake_hub.followed.clear()
        fake_hub.abort_all()
        await until(lambda: fake_hub.followed.get(agent.id) == {"deploy"})


async def test_close_does_not_wait_for_a_handler_that_hangs(agent_of, fake_hub, until):
    agent, state = agent_of("hanging"), []

    @agent.on("activity:broadcast")
    async def hang(push):
        state.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            state.append("ended")

    await agent.connect()
    await fake_hub.tell("go")
    await until(lambda: state)
    async with asyncio.timeout(5):
        await agent.close()
    assert state == ["begun", "ended"]


async def test_nobody_waits_for_a_stream_that_was_closed(agent_of, fake_hub):
    async with agent_of("tidy") as agent:
        with agent.activity.stream(buffer=1) as stream:
            reader = asyncio.create_task(anext(stream, "ended"))
            await asyncio.sleep(0)
        assert await reader == "ended"
        with suppress(RingforgeError):
            await agent.activity.broadcast("custom")
        assert stream.drained
