"""Activity as agents see it; the numbers of tests are those of the defects that they keep out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mesh_fleet import Fleet

from ringforge_core.testkit.phoenix_client import PhoenixClient

pytestmark = pytest.mark.asyncio(loop_scope="module")


def heard(client: PhoenixClient) -> list[str]:
    """The descriptions of the activities pushed so far."""
    return [push["payload"]["description"] for push in client.pushes("activity:broadcast")]


async def tell(client: PhoenixClient, description: str, **fields: Any) -> str:
    reply = await client.ok("activity:broadcast", {"kind": "custom", "description": description, **fields})
    event_id: str = reply["event_id"]
    return event_id


async def hears(client: PhoenixClient, description: str) -> dict[str, Any]:
    message = await client.expect(
        lambda m: m.event == "activity:broadcast" and m.payload["payload"]["description"] == description
    )
    payload: dict[str, Any] = message.payload
    return payload


async def history(client: PhoenixClient, **fields: Any) -> list[str]:
    reply = (await client.ok("activity:history", {"payload": fields}))["payload"]
    assert reply["count"] == len(reply["events"])
    return [event["description"] for event in reply["events"]]


async def test_an_activity_reaches_the_whole_fleet(fleet: Fleet) -> None:
    sender, sender_id = await fleet.join("sender")
    other, _ = await fleet.join("other")
    request = {"kind": "discovery", "description": "found it", "tags": ["a", "b"], "data": {"n": [1, None]}}
    reply = await sender.ok("activity:broadcast", {"payload": request})
    for client in (sender, other):
        push = await client.expect_push("activity:broadcast")
        event = push["payload"]
        assert event.pop("timestamp").endswith("Z")
        assert event == {"event_id": reply["event_id"], "from": {"agent_id": sender_id, "name": "sender"}, **request}
        assert (push["type"], push["event"], push["seq"]) == ("activity", "broadcast", 1)
        assert push["epoch"]


async def test_d52_bad_broadcasts_are_refused_and_the_channel_lives(fleet: Fleet) -> None:
    agent, _ = await fleet.join("agent")
    for fields, reason, field in (
        ({}, "missing_kind", "kind"),
        ({"kind": "party"}, "invalid_activity_kind", "kind"),
        ({"kind": 5}, "invalid_activity_kind", "kind"),
        ({"kind": "custom", "scope": "galaxy"}, "invalid_payload", "scope"),
        ({"kind": "custom", "description": "x" * 10_001}, "invalid_payload", "description"),
        ({"kind": "custom", "tags": ["t"] * 21}, "invalid_payload", "tags"),
        ({"kind": "custom", "tags": ["t" * 51]}, "invalid_payload", "tags"),
        ({"kind": "custom", "tags": "t"}, "invalid_payload", "tags"),
        ({"kind": "custom", "tags": ["nul\x00"]}, "invalid_payload", "tags"),
        ({"kind": "custom", "scope": "direct", "to": "nul\x00"}, "invalid_payload", "to"),
        ({"kind": "custom", "data": ["no object"]}, "invalid_payload", "data"),
        ({"kind": "custom", "data": {"text": "x" * 100_000}}, "payload_too_large", "data"),
        ({"kind": "custom", "scope": "tagged"}, "missing_tags", "tags"),
        ({"kind": "custom", "scope": "direct"}, "missing_to", "to"),
    ):
        error = await agent.refused("activity:broadcast", fields)
        assert (error["reason"], error["field"]) == (reason, field), fields
    assert await history(agent) == []
    await tell(agent, "still here", data=None, tags=None, scope=None, to=None)
    await hears(agent, "still here")


async def test_d63_a_tagged_activity_reaches_each_subscriber_once_and_nobody_else(fleet: Fleet) -> None:
    sender, _ = await fleet.join("sender")
    follower, _ = await fleet.join("follower")
    bystander, _ = await fleet.join("bystander")
    assert await follower.ok("activity:subscribe", {"tags": ["red", "blue"]}) == {"subscribed_tags": ["blue", "red"]}
    await bystander.ok("activity:subscribe", {"tags": ["green"]})
    await tell(sender, "for followers", scope="tagged", tags=["red", "blue", "loud"])
    await tell(sender, "for all")
    for client in (sender, follower, bystander):
        await hears(client, "for all")
    assert heard(follower) == ["for followers", "for all"]
    assert heard(bystander) == ["for all"]
    assert heard(sender) == ["for all"], "the sender does not follow its tags"


async def test_subscriptions_can_be_undone(fleet: Fleet) -> None:
    agent, _ = await fleet.join("agent")
    await agent.ok("activity:subscribe", {"payload": {"tags": ["red", "blue", "red"]}})
    assert await agent.ok("activity:subscribe", {"tags": ["green"]}) == {"subscribed_tags": ["blue", "green", "red"]}
    assert await agent.ok("activity:unsubscribe", {"tags": ["red", "none"]}) == {"subscribed_tags": ["blue", "green"]}
    await tell(agent, "red", scope="tagged", tags=["red"])
    await tell(agent, "blue", scope="tagged", tags=["blue"])
    await hears(agent, "blue")
    assert heard(agent) == ["blue"]
    for event in ("activity:subscribe", "activity:unsubscribe"):
        assert (await agent.refused(event))["reason"] == "missing_tags"


async def test_d72_a_repeated_subscription_answers_as_before_and_undoes_nothing(fleet: Fleet) -> None:
    agent, _ = await fleet.join("agent")
    request = {"payload": {"tags": ["red", "blue"]}, "_idempotency_key": "k"}
    first = await agent.ok("activity:subscribe", request)
    await agent.ok("activity:unsubscribe", {"tags": ["red"]})
    assert await agent.ok("activity:subscribe", request) == first == {"subscribed_tags": ["blue", "red"]}
    told = await agent.ok("activity:broadcast", {"kind": "custom", "scope": "tagged", "tags": ["red"]})
    heard = await agent.ok("activity:broadcast", {"kind": "custom", "scope": "tagged", "tags": ["blue"]})
    assert (await agent.expect_push("activity:broadcast"))["payload"]["event_id"] == heard["event_id"] != told["event_id"]
    assert await agent.ok("activity:unsubscribe", {"tags": ["none"]}) == {"subscribed_tags": ["blue"]}


async def test_an_agent_follows_at_most_200_tags(fleet: Fleet) -> None:
    agent, _ = await fleet.join("agent")
    await agent.ok("activity:subscribe", {"tags": [f"tag-{n}" for n in range(199)]})
    error = await agent.refused("activity:subscribe", {"tags": ["one", "more"]})
    assert (error["reason"], error["limit"]) == ("too_many_subscriptions", 200)
    assert len((await agent.ok("activity:subscribe", {"tags": ["one", "tag-1"]}))["subscribed_tags"]) == 200


async def test_subscriptions_survive_a_crash_and_bring_what_was_missed(fleet: Fleet) -> None:
    sender, _ = await fleet.join("sender")
    agent, _ = await fleet.join("agent")
    await agent.ok("activity:subscribe", {"tags": ["red"]})
    await tell(sender, "seen")
    push = await hears(agent, "seen")
    await agent.__aexit__(None, None, None)
    await tell(sender, "missed", scope="tagged", tags=["red"])
    await tell(sender, "not followed", scope="tagged", tags=["blue"])
    await fleet.hub.restart()
    again = await fleet.connect("agent")
    await again.join({"payload": {}, "resume": {"epoch": push["epoch"], "seq": push["seq"]}})
    await hears(again, "missed")
    await tell(again, "live", scope="tagged", tags=["red"])
    await hears(again, "live")
    assert heard(again) == ["missed", "live"]


async def test_d21_a_direct_activity_is_for_one_agent_alone(fleet: Fleet) -> None:
    sender, _ = await fleet.join("sender")
    target, target_id = await fleet.join("target")
    bystander, _ = await fleet.join("bystander")
    await tell(sender, "for you", scope="direct", to=target_id)
    await tell(sender, "for all")
    for client in (sender, target, bystander):
        await hears(client, "for all")
    assert heard(target) == ["for you", "for all"]
    assert heard(bystander) == heard(sender) == ["for all"]
    assert await history(bystander) == ["for all"]
    assert await history(target) == await history(sender) == ["for you", "for all"]


async def test_d21_a_direct_activity_waits_for_an_agent_that_is_away(fleet: Fleet) -> None:
    sender, _ = await fleet.join("sender")
    target, target_id = await fleet.join("target")
    await target.__aexit__(None, None, None)
    await tell(sender, "for you", scope="direct", to=target_id)
    again, _ = await fleet.join("target")
    assert await history(again) == ["for you"]


async def test_a_direct_activity_cannot_leave_the_fleet(fleet: Fleet, other_fleet: Fleet) -> None:
    sender, _ = await fleet.join("sender")
    stranger, stranger_id = await other_fleet.join("stranger")
    for to in (stranger_id, "ag_nobody"):
        error = await sender.refused("activity:broadcast", {"kind": "custom", "scope": "direct", "to": to})
        assert error["reason"] == "not_found"
    await tell(stranger, "own")
    await hears(stranger, "own")
    assert heard(stranger) == await history(stranger) == ["own"]
    assert await history(sender) == []


async def test_history_is_the_newest_oldest_first(fleet: Fleet) -> None:
    agent, _ = await fleet.join("agent")
    for number in range(6):
        await tell(agent, f"n{number}", kind="alert" if number % 2 else "question")
    assert await history(agent) == ["n0", "n1", "n2", "n3", "n4", "n5"]
    assert await history(agent, limit=2) == ["n4", "n5"]
    assert await history(agent, limit=2, kinds=["question"]) == ["n2", "n4"]
    assert await history(agent, kinds=None, limit=None) == ["n0", "n1", "n2", "n3", "n4", "n5"]


@pytest.mark.parametrize("fields", [{"limit": 0}, {"limit": 501}, {"limit": "5"}, {"kinds": "alert"}, {"kinds": [5]}])
async def test_d52_a_bad_history_request_is_refused(fleet: Fleet, fields: dict[str, Any]) -> None:
    agent, _ = await fleet.join("agent")
    assert (await agent.refused("activity:history", fields))["reason"] == "invalid_payload"


async def test_a_history_fits_into_one_message(fleet: Fleet) -> None:
    agent, _ = await fleet.join("agent")
    for number in range(12):
        await tell(agent, f"n{number}", data={"text": "x" * 99_000})
    reply = await agent.ok("activity:history")
    assert len(json.dumps(reply)) < 2**20
    assert [event["description"] for event in reply["payload"]["events"]] == [f"n{number}" for number in range(3, 12)]


async def test_d72_the_same_key_tells_once(fleet: Fleet) -> None:
    agent, _ = await fleet.join("agent")
    request = {"kind": "custom", "description": "once", "_idempotency_key": "k-1"}
    first = await agent.ok("activity:broadcast", request)
    assert await agent.ok("activity:broadcast", request) == first
    conflict = await agent.refused("activity:broadcast", {**request, "description": "twice"})
    assert conflict["reason"] == "idempotency_conflict"
    await tell(agent, "after")
    await hears(agent, "after")
    assert heard(agent) == ["once", "after"]
