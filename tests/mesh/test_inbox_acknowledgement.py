"""Messages that stay in the inbox until the agent says that it has taken charge of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from direct_fleet import direct_fleet, disconnect, eventually, gets_receipt, receipts, received, receives, send, waiting
from mesh_fleet import Fleet

from ringforge_core.testkit.phoenix_client import PhoenixClient

VISIBILITY = {"capabilities__inbox__visibility_seconds": 0.3, "capabilities__inbox__sweep_seconds": 0.1}


@pytest.fixture(params=["sqlite", "postgresql"])
async def fleet(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Fleet]:
    url = await request.getfixturevalue("postgres").new_database() if request.param == "postgresql" else None
    async with direct_fleet(tmp_path, store__url=url, **VISIBILITY) as fleet:
        yield fleet


@pytest.fixture
async def patient_fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    """Nothing is sent again within a test's time."""
    async with direct_fleet(tmp_path, capabilities__inbox__visibility_seconds=60) as fleet:
        yield fleet


async def test_a_message_comes_again_until_it_is_acknowledged(fleet: Fleet) -> None:
    sender, _ = await fleet.join("sender")
    target, target_id = await fleet.join("target")
    reply = await send(sender, target_id, "important", ack=True)
    assert reply["status"] == "delivered"
    third = await receives(target, "important", times=3)
    pushes = [push["payload"] for push in target.pushes("direct:message")]
    assert [push.get("attempt", 1) for push in pushes] == [1, 2, 3]
    assert {push["message_id"] for push in pushes} == {reply["message_id"]}
    assert all(push["ack"] is True for push in pushes)
    assert receipts(sender) == [], "pushed is not acknowledged"
    assert await target.ok("message:ack", {"message_id": third["message_id"]}) == {"status": "ack"}
    assert (await gets_receipt(sender, reply["message_id"]))["status"] == "delivered"
    assert (await target.refused("message:ack", {"message_id": third["message_id"]}))["reason"] == "not_found"
    await eventually(lambda: is_empty(fleet))
    await send(sender, target_id, "proof", ack=True)
    await receives(target, "proof", times=2)  # a whole visibility time later
    assert received(target).count("important") == 3
    assert len(receipts(sender)) == 1


async def test_only_the_recipient_can_acknowledge(patient_fleet: Fleet) -> None:
    fleet = patient_fleet
    sender, _ = await fleet.join("sender")
    target, target_id = await fleet.join("target")
    bystander, _ = await fleet.join("bystander")
    message_id = (await send(sender, target_id, "yours", ack=True))["message_id"]
    for nosy in (sender, bystander):
        assert (await nosy.refused("message:ack", {"message_id": message_id}))["reason"] == "not_found"
    assert (await target.refused("message:ack"))["reason"] == "missing_message_id"
    assert (await target.refused("message:ack", {"message_id": 5}))["reason"] == "invalid_payload"
    assert await target.ok("message:ack", {"message_id": message_id}) == {"status": "ack"}


async def test_an_agent_that_comes_back_gets_at_once_what_it_did_not_acknowledge(patient_fleet: Fleet) -> None:
    fleet = patient_fleet
    sender, _ = await fleet.join("sender")
    target, target_id = await fleet.join("target")
    ids = [(await send(sender, target_id, number, ack=True))["message_id"] for number in range(3)]
    await receives(target, 2)
    await target.ok("message:ack", {"message_id": ids[1]})
    await disconnect(target)
    again, _ = await fleet.join("target")
    push = await receives(again, 2)
    assert received(again) == [0, 2]
    assert push["attempt"] == 2


async def test_a_second_connection_does_not_get_what_the_first_is_at_work_on(patient_fleet: Fleet) -> None:
    fleet = patient_fleet
    sender, _ = await fleet.join("sender")
    first, target_id = await fleet.join("target")
    message_id = (await send(sender, target_id, "at work", ack=True))["message_id"]
    await receives(first, "at work")
    second, _ = await fleet.join("target")
    await send(sender, target_id, "new")
    await receives(second, "new")
    assert received(second) == ["new"]
    await second.ok("message:ack", {"message_id": message_id})
    assert (await gets_receipt(sender, message_id))["status"] == "delivered"


async def test_the_work_of_a_connection_that_ended_stays_with_the_agents_other_one(fleet: Fleet) -> None:
    sender, _ = await fleet.join("sender")
    first, target_id = await fleet.join("target")
    await send(sender, target_id, "at work", ack=True)
    await receives(first, "at work")
    second, _ = await fleet.join("target")
    await disconnect(first)
    assert (await receives(second, "at work"))["attempt"] == 2


async def test_messages_without_ack_come_once(fleet: Fleet) -> None:
    sender, _ = await fleet.join("sender")
    target, target_id = await fleet.join("target")
    await send(sender, target_id, "once")
    await send(sender, target_id, "again", ack=True)
    await receives(target, "again", times=3)
    assert received(target).count("once") == 1
    assert not {"ack", "attempt"} & first_push(target).keys()


def first_push(client: PhoenixClient) -> dict[str, object]:
    payload: dict[str, object] = client.pushes("direct:message")[0]["payload"]
    return payload


async def is_empty(fleet: Fleet) -> bool:
    return await waiting(fleet.hub.hub.store) == (0, 0)


async def test_a_repeated_acknowledgement_and_reading_get_the_first_reply(patient_fleet: Fleet) -> None:
    fleet = patient_fleet
    sender, _ = await fleet.join("sender")
    target, target_id = await fleet.join("target")
    message_id = (await send(sender, target_id, "yours", ack=True))["message_id"]
    await receives(target, "yours")
    for event in ("message:ack", "message:read"):
        request = {"payload": {"message_id": message_id}, "_idempotency_key": "k"}
        assert await target.ok(event, request) == await target.ok(event, request) == {"status": "ack"}
    await gets_receipt(sender, message_id)
    assert [push["payload"]["message_id"] for push in sender.pushes("message:read")] == [message_id]
