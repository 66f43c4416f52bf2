"""What members write to their group, and who gets it; tests with a number keep that defect out."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from group_fleet import GroupAgent, GroupFleet, enter

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def until_heard(agent: GroupAgent, message: Any) -> list[Any]:
    """All messages that came, up to this one and what came with it."""
    await agent.told("message", message=message)
    return agent.messages()


async def test_a_message_reaches_the_members_and_its_sender_and_nobody_else(fleet: GroupFleet) -> None:
    sender, member, stranger = await fleet.join("sender"), await fleet.join("member"), await fleet.join("stranger")
    group_id = await sender.create("talk", invite=[member.id])
    reply = await sender.ok("message", group_id=group_id, message={"text": "hi", "n": [1, None]})
    assert reply == {"sent": True, "message_id": reply["message_id"]}
    for agent in (sender, member):
        push = await agent.told("message")
        assert push.pop("timestamp").endswith("Z")
        assert push == {
            "message_id": reply["message_id"], "group_id": group_id, "message": {"text": "hi", "n": [1, None]},
            "from": {"agent_id": sender.id, "name": "sender"},
        }  # fmt: skip
    assert await stranger.refused("message", group_id=group_id, message="let me in") == "not_member"
    await stranger.ok("join", group_id=group_id)
    await sender.say(group_id, "welcome")
    assert await until_heard(stranger, "welcome") == ["welcome"]
    assert len(await until_heard(member, "welcome")) == 2


async def test_without_message_the_whole_payload_is_the_message(fleet: GroupFleet) -> None:
    agent = await fleet.join("agent")
    group_id = await agent.create("older clients")
    for fields in ({"text": "flat"}, {"text": "null", "message": None}):
        await agent.ok("message", group_id=group_id, **fields)
        await agent.told("message", message={"group_id": group_id, **fields})
    payload = {"group_id": group_id, "text": "wrapped"}
    await agent.client.ok("group:message", {"payload": {**payload, "_idempotency_key": "k1"}})
    await agent.told("message", message=payload)
    for message in (0, False, "", [], {}):
        await agent.say(group_id, message)
        await agent.told("message", message=message)


async def test_a_message_of_more_than_100_kb_is_refused(fleet: GroupFleet) -> None:
    agent = await fleet.join("agent")
    group_id = await agent.create("large")
    assert await agent.refused("message", group_id=group_id, message="x" * 100_000) == "payload_too_large"
    await agent.say(group_id, "x" * 90_000)
    assert len((await agent.told("message"))["message"]) == 90_000


async def test_d79_a_member_that_reconnects_is_one_still(fleet: GroupFleet) -> None:
    sender = await fleet.join("sender")
    group_id = await sender.create("lasting", invite=[await fleet.joined_and_gone("invited")])
    async with fleet.socket("joiner") as client:
        await (await enter(client)).ok("join", group_id=group_id)
    invited, joiner = await fleet.join("invited"), await fleet.join("joiner")
    await sender.say(group_id, "back again")
    for agent in (invited, joiner):
        assert await until_heard(agent, "back again") == ["back again"]


async def test_d79_members_that_are_away_get_it_when_they_join_in_order_and_once(fleet: GroupFleet) -> None:
    sender = await fleet.join("sender")
    async with fleet.socket("away") as client:
        away = await enter(client)
        group_id = await sender.create("patient", invite=[away.id])
        await sender.say(group_id, 0)
        await away.told("message", message=0)
        await away.told("created", group_id=group_id)
    for number in (1, 2, 3):
        await sender.say(group_id, number)
    last = {"epoch": away.joined["epoch"], "seq": away.joined["seq"]}
    away = await fleet.join("away", {"resume": last})
    assert away.joined["resume"]["status"] == "resumed"
    await sender.say(group_id, 4)
    assert [number for number in await until_heard(away, 4) if number] == [1, 2, 3, 4]


async def test_each_connection_of_a_member_gets_a_message_once(fleet: GroupFleet) -> None:
    sender = await fleet.join("sender")
    first, second = await fleet.join("twin"), await fleet.join("twin")
    assert first.id == second.id
    group_id = await sender.create("twins", invite=[first.id])
    await sender.say(group_id, "both")
    await sender.say(group_id, "end")
    for agent in (first, second):
        assert await until_heard(agent, "end") == ["both", "end"]


async def test_lobby_and_real_topic_on_one_connection_get_it_once_each(fleet: GroupFleet) -> None:
    agent = await fleet.join("agent")
    topic = agent.joined["topic"]
    await agent.client.join(topic=topic, join_ref="2")
    await agent.client.expect(lambda frame: frame.event == "presence:roster" and frame.topic == topic)
    group_id = await agent.create("two channels")
    await agent.say(group_id, "to both")
    await agent.say(group_id, "end")
    for text in ("fleet:lobby", topic):
        await agent.client.expect(
            lambda frame, text=text: frame.event == "group:message" and frame.topic == text  # type: ignore[misc]
            and frame.payload["payload"]["message"] == "end"
        )  # fmt: skip
        came = [frame for frame in agent.client.seen if frame.event == "group:message" and frame.topic == text]
        assert [frame.payload["payload"]["message"] for frame in came] == ["to both", "end"]


async def test_an_idempotency_key_sends_a_message_once(fleet: GroupFleet) -> None:
    agent = await fleet.join("agent")
    group_id = await agent.create("once")
    request = {"payload": {"group_id": group_id, "message": "once"}, "_idempotency_key": "k1"}
    replies = await asyncio.gather(*(agent.client.ok("group:message", request) for _ in range(5)))
    assert len({reply["message_id"] for reply in replies}) == 1
    await agent.say(group_id, "end")
    assert await until_heard(agent, "end") == ["once", "end"]
    changed = {"payload": {"group_id": group_id, "message": "twice"}, "_idempotency_key": "k1"}
    assert (await agent.client.refused("group:message", changed))["reason"] == "idempotency_conflict"


async def test_who_left_gets_no_more(fleet: GroupFleet) -> None:
    sender, leaver = await fleet.join("sender"), await fleet.join("leaver")
    group_id = await sender.create("short", invite=[leaver.id])
    await sender.say(group_id, "before")
    await leaver.told("message", message="before")
    await leaver.ok("leave", group_id=group_id)
    await sender.say(group_id, "after")
    other = await sender.create("other", invite=[leaver.id])
    await sender.say(other, "end")
    assert await until_heard(leaver, "end") == ["before", "end"]


async def test_a_member_whose_inbox_is_full_is_named(fleet: GroupFleet) -> None:
    """The hub of these tests keeps five messages for one agent."""
    sender = await fleet.join("sender")
    away = await fleet.joined_and_gone("away")
    group_id = await sender.create("unread", invite=[away])
    for number in range(5):
        assert "refused" not in await sender.ok("message", group_id=group_id, message=number)
        await sender.told("message", message=number)
    reply = await sender.ok("message", group_id=group_id, message=5)
    assert (reply["sent"], reply["refused"]) == (True, {away: "queue_full"})
    assert await until_heard(sender, 5) == [0, 1, 2, 3, 4, 5], "the others have it"
    back = await fleet.join("away")
    assert await until_heard(back, 4) == [0, 1, 2, 3, 4]


async def test_messages_keep_their_order_for_every_member(fleet: GroupFleet) -> None:
    agents = await asyncio.gather(*(fleet.join(f"agent-{number}") for number in range(4)))
    group_id = await agents[0].create("order", invite=[agent.id for agent in agents])
    await asyncio.gather(*(_talk(agent, group_id, 20) for agent in agents))
    await agents[0].say(group_id, "end")
    for agent in agents:
        heard = await until_heard(agent, "end")
        assert len(heard) == 81
        for speaker in agents:
            assert [number for who, number in heard[:-1] if who == speaker.id] == list(range(20))


async def _talk(agent: GroupAgent, group_id: str, count: int) -> None:
    for number in range(count):
        await agent.say(group_id, [agent.id, number])
