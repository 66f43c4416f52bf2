"""What waits for agents that are away: its order, its bounds, its end. On both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from direct_fleet import direct_fleet, disconnect, eventually, gets_receipt, receipts, received, receives, send, waiting
from mesh_fleet import Fleet

from ringforge_core.identity import bootstrap, delete_agent
from ringforge_core.identity.actor import Actor
from ringforge_core.testkit.postgres import PostgresServer

SETTINGS = {
    "capabilities__presence__leave_after_seconds": 0.1,
    "capabilities__inbox__capacity": 20,
    "capabilities__inbox__sweep_seconds": 0.05,
}
EXPIRES = 0.4


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest) -> str | None:
    if request.param == "sqlite":
        return None
    server: PostgresServer = request.getfixturevalue("postgres")
    return await server.new_database()


@pytest.fixture
async def fleet(tmp_path: Path, url: str | None) -> AsyncIterator[Fleet]:
    async with direct_fleet(tmp_path, store__url=url, **SETTINGS) as fleet:
        yield fleet


@pytest.fixture
async def hasty_fleet(tmp_path: Path, url: str | None) -> AsyncIterator[Fleet]:
    """Messages expire at once, or nearly."""
    hasty = {"capabilities__direct__expires_seconds": EXPIRES, "capabilities__direct__urgent_expires_seconds": 60}
    async with direct_fleet(tmp_path, store__url=url, **SETTINGS, **hasty) as fleet:
        yield fleet


async def away(fleet: Fleet, name: str) -> str:
    """The id of an agent that was here and has left."""
    client, agent_id = await fleet.join(name)
    await disconnect(client)

    def has_left() -> bool:
        room = fleet.hub.hub.gateway.rooms.get(fleet.keys.fleet_id)
        return room is None or agent_id not in room.agents

    await eventually(has_left)
    return agent_id


async def queued(client: Any) -> dict[str, Any]:
    payload: dict[str, Any] = (await client.ok("message:queued"))["payload"]
    assert payload["count"] == len(payload["messages"])
    return payload


async def test_what_was_queued_comes_after_the_roster_oldest_first(fleet: Fleet) -> None:
    one, _ = await fleet.join("one")
    two, _ = await fleet.join("two")
    target_id = await away(fleet, "target")
    sent = []
    for number in range(10):
        reply = await send((one, two)[number % 2], target_id, number)
        assert reply["status"] == "queued"
        sent.append(reply["message_id"])
    assert receipts(one) == receipts(two) == []
    target, _ = await fleet.join("target")
    await receives(target, 9)
    assert received(target) == list(range(10))
    events = [m.event for m in target.seen if m.event in ("presence:roster", "direct:message")]
    assert events == ["presence:roster"] + ["direct:message"] * 10
    for number, client in ((8, one), (9, two)):
        receipt = await gets_receipt(client, sent[number])
        assert (receipt["status"], receipt["to"]) == ("delivered", target_id)
    assert receipts(one) == [(message_id, "delivered") for message_id in sent[0::2]]
    assert receipts(two) == [(message_id, "delivered") for message_id in sent[1::2]]
    await eventually(lambda: is_empty(fleet))


async def test_d56_what_was_delivered_is_not_queued(fleet: Fleet) -> None:
    sender, _ = await fleet.join("sender")
    target, target_id = await fleet.join("target")
    for number in range(5):
        assert (await send(sender, target_id, number))["status"] == "delivered"
    await receives(target, 4)
    await disconnect(target)
    again, _ = await fleet.join("target")
    await send(sender, target_id, "new")
    await receives(again, "new")
    assert received(again) == ["new"]


async def test_the_queue_can_be_looked_at_without_being_consumed(fleet: Fleet) -> None:
    sender, sender_id = await fleet.join("sender")
    target, target_id = await fleet.join("target")
    for number in range(3):
        await send(sender, target_id, number, ack=True)
    await receives(target, 2)
    for _ in range(2):
        looked = await queued(target)
        assert [envelope["message"] for envelope in looked["messages"]] == [0, 1, 2]
        assert looked["total"] == 3
    envelope = looked["messages"][0]
    assert (envelope["to"], envelope["from"]) == (target_id, {"agent_id": sender_id, "name": "sender"})
    assert (await queued(sender))["total"] == 0
    limited = (await target.ok("message:queued", {"limit": 2}))["payload"]
    assert (limited["count"], limited["total"]) == (2, 3)
    assert (await target.refused("message:queued", {"limit": 0}))["reason"] == "invalid_payload"


async def test_d68_a_full_inbox_takes_no_more_and_fails_the_message(fleet: Fleet) -> None:
    sender, _ = await fleet.join("sender")
    target_id, other_id = await away(fleet, "target"), await away(fleet, "other")
    for number in range(20):
        assert (await send(sender, target_id, number))["status"] == "queued"
    reply = await send(sender, target_id, "too much")
    assert reply == {"message_id": None, "to": target_id, "status": "failed", "reason": "queue_full"}
    assert (await send(sender, other_id, "fine"))["status"] == "queued"
    page = (await sender.ok("direct:history", {"with": target_id}))["payload"]
    assert [envelope["message"] for envelope in page["messages"]] == list(range(20)), "a failed message is nowhere"
    target, _ = await fleet.join("target")
    await receives(target, 19)
    await eventually(lambda: holds(fleet, 1))
    assert (await send(sender, target_id, "room again"))["status"] == "delivered"
    assert received(target) == [*range(20), "room again"]


async def test_racing_messages_fill_an_inbox_exactly(fleet: Fleet) -> None:
    target_id = await away(fleet, "target")
    senders = [(await fleet.join(f"sender-{number}"))[0] for number in range(10)]
    before = [await send(senders[0], target_id, [0, number - 20]) for number in range(17)]
    replies = before + await asyncio.gather(
        *(send(sender, target_id, [who, number]) for who, sender in enumerate(senders) for number in range(5))
    )
    statuses = [reply["status"] for reply in replies]
    assert (statuses.count("queued"), statuses.count("failed")) == (20, 47)
    assert {reply["reason"] for reply in replies if reply["status"] == "failed"} == {"queue_full"}
    target, _ = await fleet.join("target")
    accepted = {reply["message_id"] for reply in replies if reply["message_id"]}
    for message_id in accepted:
        await target.expect(lambda m, i=message_id: m.event == "direct:message" and m.payload["payload"]["message_id"] == i)
    assert len(received(target)) == 20
    for who in range(10):
        numbers = [number for sender, number in received(target) if sender == who]
        assert numbers == sorted(numbers), "one sender's messages stay in order"


async def test_racing_messages_to_a_present_agent_stay_in_each_senders_order(fleet: Fleet) -> None:
    target, _ = await fleet.join("target")
    target_id = (await target.ok("presence:roster"))["payload"]["agents"][0]["agent_id"]
    senders = [(await fleet.join(f"sender-{number}"))[0] for number in range(5)]

    async def talk(who: int) -> list[str]:
        return [(await send(senders[who], target_id, [who, number]))["status"] for number in range(40)]

    statuses = await asyncio.gather(*(talk(who) for who in range(5)))
    assert {status for each in statuses for status in each} == {"delivered"}
    for who in range(5):
        await receives(target, [who, 39])
    assert len(received(target)) == 200
    for who in range(5):
        assert [number for sender, number in received(target) if sender == who] == list(range(40))


async def test_an_inbox_is_not_full_of_what_a_present_agent_is_being_given(tmp_path: Path, url: str | None) -> None:
    async with direct_fleet(tmp_path, store__url=url, capabilities__inbox__capacity=2) as fleet:
        target, target_id = await fleet.join("target")
        senders = [(await fleet.join(f"sender-{number}"))[0] for number in range(10)]

        async def talk(who: int) -> set[str]:
            return {(await send(senders[who], target_id, [who, number]))["status"] for number in range(20)}

        assert "failed" not in set().union(*await asyncio.gather(*(talk(who) for who in range(10))))
        for who in range(10):
            await receives(target, [who, 19])
        assert len(received(target)) == 200


async def test_unacknowledged_messages_fill_the_inbox_of_a_present_agent(fleet: Fleet) -> None:
    sender, _ = await fleet.join("sender")
    target, target_id = await fleet.join("target")
    replies = [await send(sender, target_id, number, ack=True) for number in range(21)]
    assert [reply["status"] for reply in replies] == ["delivered"] * 20 + ["failed"]
    await receives(target, 19)
    await target.ok("message:ack", {"message_id": replies[0]["message_id"]})
    assert (await send(sender, target_id, "room again", ack=True))["status"] == "delivered"


async def test_d68_an_expired_message_is_gone_and_its_sender_is_told(hasty_fleet: Fleet) -> None:
    fleet = hasty_fleet
    sender, _ = await fleet.join("sender")
    target_id = await away(fleet, "target")
    lost = [(await send(sender, target_id, number, ack=number == 1))["message_id"] for number in range(2)]
    urgent = [
        (await send(sender, target_id, {"priority": priority}))["message_id"] for priority in ("high", "critical", "low")
    ]
    for message_id in (*lost, urgent[2]):
        receipt = await gets_receipt(sender, message_id)
        assert receipt.pop("timestamp").endswith("Z")
        assert receipt == {"message_id": message_id, "to": target_id, "status": "expired"}
    target, _ = await fleet.join("target")
    await receives(target, {"priority": "critical"})
    for message_id in urgent[:2]:
        assert (await gets_receipt(sender, message_id))["status"] == "delivered"
    assert received(target) == [{"priority": "high"}, {"priority": "critical"}]
    assert len(receipts(sender)) == 5
    page = (await sender.ok("direct:history", {"with": target_id}))["payload"]
    assert len(page["messages"]) == 5, "it was sent, and stays in the history"
    await eventually(lambda: is_empty(fleet))


async def test_a_sender_that_is_away_hears_of_the_end_when_it_resumes(hasty_fleet: Fleet) -> None:
    fleet = hasty_fleet
    sender, _ = await fleet.join("sender")
    target_id = await away(fleet, "target")
    fleet_position = (await (await fleet.connect("watcher")).join())["epoch"], 0
    message_id = (await send(sender, target_id, "bye"))["message_id"]
    await disconnect(sender)
    await eventually(lambda: is_empty(fleet))
    again = await fleet.connect("sender")
    await again.join({"payload": {}, "resume": {"epoch": fleet_position[0], "seq": fleet_position[1]}})
    assert (await gets_receipt(again, message_id))["status"] == "expired"


async def test_an_unacknowledged_message_expires_too(tmp_path: Path, url: str | None) -> None:
    hasty = {"capabilities__direct__expires_seconds": 0.5, "capabilities__inbox__visibility_seconds": 0.15}
    async with direct_fleet(tmp_path, store__url=url, **SETTINGS, **hasty) as fleet:
        sender, _ = await fleet.join("sender")
        target, target_id = await fleet.join("target")
        message_id = (await send(sender, target_id, "heard?", ack=True))["message_id"]
        await receives(target, "heard?", times=2)
        assert (await gets_receipt(sender, message_id))["status"] == "expired"
        assert (await target.refused("message:ack", {"message_id": message_id}))["reason"] == "not_found"


async def test_tenants_have_inboxes_of_their_own(fleet: Fleet) -> None:
    other = Fleet(fleet.hub, await bootstrap(fleet.hub.hub.store, tenant="other"), fleet._stack)
    one, _ = await fleet.join("same name")
    two, _ = await other.join("same name")
    targets = [await away(each, "target") for each in (fleet, other)]
    await send(one, targets[0], "for the first")
    await send(two, targets[1], "for the second")
    assert (await send(one, targets[1], "across"))["status"] == "failed"
    for each, expected in ((fleet, "for the first"), (other, "for the second")):
        client, _ = await each.join("target")
        await receives(client, expected)
        assert received(client) == [expected]


async def test_a_deleted_agent_takes_its_inbox_along(fleet: Fleet) -> None:
    sender, _ = await fleet.join("sender")
    target_id = await away(fleet, "target")
    await send(sender, target_id, "too late")
    operator = Actor("operator", "test")
    await delete_agent(fleet.hub.hub.store, fleet.keys.tenant_id, target_id, actor=operator)
    reply = await send(sender, target_id, "nobody")
    assert (reply["status"], reply["reason"]) == ("failed", "not_found")


async def is_empty(fleet: Fleet) -> bool:
    return await holds(fleet, 0)


async def holds(fleet: Fleet, count: int) -> bool:
    return await waiting(fleet.hub.hub.store) == (count, count)
