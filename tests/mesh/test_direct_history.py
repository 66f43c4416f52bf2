"""The history of a conversation, page by page."""

from __future__ import annotations

import json
from typing import Any

import pytest
from direct_fleet import direct_fleet, eventually, receives, send
from mesh_fleet import Fleet
from quota_tenants import set_plans

from ringforge_core.testkit.hub import TestHub
from ringforge_core.testkit.phoenix_client import PhoenixClient

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def page(client: PhoenixClient, event: str = "direct:history", **fields: Any) -> dict[str, Any]:
    reply = await client.ok(event, {"payload": fields})
    assert f"{reply['type']}:{reply['event']}" == event
    payload: dict[str, Any] = reply["payload"]
    assert payload["count"] == len(payload["messages"])
    assert payload["with"] == fields["with"]
    return payload


def texts(answer: dict[str, Any]) -> list[Any]:
    return [envelope["message"] for envelope in answer["messages"]]


@pytest.mark.parametrize("event", ["direct:history", "message:history"])
async def test_d46_a_conversation_is_the_same_for_both_and_oldest_first(fleet: Fleet, event: str) -> None:
    one, one_id = await fleet.join("one")
    two, two_id = await fleet.join("two")
    three, three_id = await fleet.join("three")
    first = await send(one, two_id, "a", correlation_id="c")
    await send(two, one_id, "b")
    await send(three, one_id, "other")
    await send(one, two_id, "c")
    for client, partner in ((one, two_id), (two, one_id)):
        answer = await page(client, event, **{"with": partner})
        assert texts(answer) == ["a", "b", "c"]
        assert answer["before"] is None
        envelope = answer["messages"][0]
        assert envelope.pop("timestamp").endswith("Z")
        assert envelope == {
            "message_id": first["message_id"],
            "from": {"agent_id": one_id, "name": "one"},
            "to": two_id,
            "correlation_id": "c",
            "message": "a",
        }
    assert texts(await page(three, event, **{"with": two_id})) == []
    assert texts(await page(one, event, **{"with": three_id})) == ["other"]


async def test_d46_pages_go_back_in_time(fleet: Fleet) -> None:
    one, _ = await fleet.join("one")
    _, two_id = await fleet.join("two")
    for number in range(205):
        await send(one, two_id, number)
    seen: list[Any] = []
    before = None
    while True:
        answer = await page(one, **{"with": two_id, "limit": 50, "before": before})
        seen = texts(answer) + seen
        if answer["before"] is None:
            break
        assert len(answer["messages"]) == 50
        before = answer["before"]
    assert seen == list(range(205)), "there is no cap of 200"


async def test_a_page_fits_into_one_message(fleet: Fleet) -> None:
    one, _ = await fleet.join("one")
    _, two_id = await fleet.join("two")
    for number in range(12):
        await send(one, two_id, [number, "x" * 99_000])
    newest = await page(one, **{"with": two_id})
    assert len(json.dumps(newest)) < 2**20
    assert [message[0] for message in texts(newest)] == list(range(3, 12))
    rest = await page(one, **{"with": two_id, "before": newest["before"]})
    assert [message[0] for message in texts(rest)] == [0, 1, 2]
    assert rest["before"] is None


async def test_a_cursor_of_another_conversation_opens_nothing(fleet: Fleet, other_fleet: Fleet) -> None:
    one, _ = await fleet.join("one")
    _, two_id = await fleet.join("two")
    three, _ = await fleet.join("three")
    stranger, _ = await other_fleet.join("stranger")
    message_id = (await send(one, two_id, "a"))["message_id"]
    for nosy in (three, stranger):
        error = await nosy.refused("direct:history", {"with": two_id, "before": message_id})
        assert (error["reason"], error["field"]) == ("not_found", "before")
    assert (await one.refused("direct:history", {"with": two_id, "before": "msg_none"}))["reason"] == "not_found"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "missing_with"),
        ({"with": 5}, "invalid_payload"),
        ({"with": "nul\x00"}, "invalid_payload"),
        ({"with": "ag_x", "limit": 0}, "invalid_payload"),
        ({"with": "ag_x", "limit": 501}, "invalid_payload"),
        ({"with": "ag_x", "limit": "5"}, "invalid_payload"),
        ({"with": "ag_x", "before": 5}, "invalid_payload"),
    ],
)
async def test_d52_a_bad_request_for_history_is_refused(fleet: Fleet, fields: dict[str, Any], reason: str) -> None:
    agent, _ = await fleet.join("agent")
    for event in ("direct:history", "message:history"):
        assert (await agent.refused(event, fields))["reason"] == reason


async def test_old_messages_are_forgotten(tmp_path: Any) -> None:
    """In the time that the plan says, and those of another plan are kept."""
    settings = {"limits__free__retention_hours": 0.3 / 3600, "capabilities__direct__trim_seconds": 0.05}
    async with direct_fleet(tmp_path, **settings) as fleet:
        hub: TestHub = fleet.hub  # type: ignore[assignment]  # the one that `direct_fleet` runs
        keeps = Fleet(fleet.hub, await hub.tenant("keeps"), fleet._stack)
        kept, _ = await keeps.join("kept")
        await send(kept, "dashboard", "kept")
        await hub.hub.store.apply(set_plans, (fleet.keys.tenant_id, "free"))
        one, _ = await fleet.join("one")
        two, two_id = await fleet.join("two")
        await send(one, two_id, "old")
        await receives(two, "old")

        async def is_forgotten() -> bool:
            return texts(await page(one, **{"with": two_id})) == []

        await eventually(is_forgotten)
        await send(one, two_id, "new")
        assert texts(await page(one, **{"with": two_id})) == ["new"]
        assert texts(await page(kept, **{"with": "dashboard"})) == ["kept"]
