"""Replay as agents see it; the numbers of tests are those of the defects that they keep out."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from mesh_fleet import Fleet

from ringforge_core.socket.rooms import RECENT
from ringforge_core.testkit.hub import running_hub
from ringforge_core.testkit.phoenix_client import PhoenixClient

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def tell(client: PhoenixClient, description: str, **fields: Any) -> str:
    reply = await client.ok("activity:broadcast", {"kind": "custom", "description": description, **fields})
    event_id: str = reply["event_id"]
    return event_id


async def replay(client: PhoenixClient, **fields: Any) -> dict[str, Any]:
    reply = await client.ok("replay:request", {"payload": fields})
    assert (reply["type"], reply["event"]) == ("replay", "result")
    assert reply["payload"]["total"] == len(reply["payload"]["events"])
    payload: dict[str, Any] = reply["payload"]
    return payload


def told(page: dict[str, Any]) -> list[str]:
    return [event["description"] for event in page["events"]]


async def test_d70_pages_bring_every_event_once_oldest_first(fleet: Fleet) -> None:
    agent, _ = await fleet.join("agent")
    for number in range(7):
        await tell(agent, f"n{number}")
    first = await replay(agent, limit=3)
    second = await replay(agent, limit=3, cursor=first["next_cursor"])
    third = await replay(agent, limit=3, cursor=second["next_cursor"])
    assert [told(page) for page in (first, second, third)] == [["n0", "n1", "n2"], ["n3", "n4", "n5"], ["n6"]]
    assert third["next_cursor"] is None


async def test_d70_times_are_compared_as_instants(fleet: Fleet) -> None:
    agent, _ = await fleet.join("agent")
    for description in ("before", "at", "after"):
        await tell(agent, description)
    page = await replay(agent)
    at = datetime.fromisoformat(page["events"][1]["timestamp"])
    elsewhere = at.astimezone(timezone(timedelta(hours=5, minutes=30)))
    page = await replay(agent, **{"from": elsewhere.isoformat(), "to": elsewhere.isoformat()})
    assert told(page) == ["at"]
    assert page["from"] == page["to"] == at.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    assert told(await replay(agent, **{"from": at.replace(tzinfo=None).isoformat()})) == ["at", "after"]
    assert told(await replay(agent, to=at.isoformat())) == ["before", "at"]


async def test_filters_narrow_the_past(fleet: Fleet) -> None:
    one, one_id = await fleet.join("one")
    two, _ = await fleet.join("two")
    await tell(one, "red alert", kind="alert", tags=["red"])
    await tell(two, "blue alert", kind="alert", tags=["blue"])
    await tell(one, "green question", kind="question", tags=["green", "red"])
    assert told(await replay(one, tags=["red", "blue"])) == ["red alert", "blue alert", "green question"]
    assert told(await replay(one, kinds=["alert"], tags=["red", "green"])) == ["red alert"]
    assert told(await replay(one, agents=[one_id])) == ["red alert", "green question"]
    assert told(await replay(one, kinds=None, tags=[], limit=1)) == ["red alert"]


async def test_what_went_to_one_agent_is_kept_from_the_others(fleet: Fleet) -> None:
    sender, _ = await fleet.join("sender")
    target, target_id = await fleet.join("target")
    bystander, _ = await fleet.join("bystander")
    await tell(sender, "for you", scope="direct", to=target_id)
    await tell(sender, "for all")
    assert told(await replay(bystander)) == ["for all"]
    assert told(await replay(target)) == told(await replay(sender)) == ["for you", "for all"]


async def test_a_seen_event_is_where_the_gap_begins(fleet: Fleet, other_fleet: Fleet) -> None:
    agent, _ = await fleet.join("agent")
    stranger, _ = await other_fleet.join("stranger")
    ids = [await tell(agent, f"n{number}") for number in range(3)]
    foreign = await tell(stranger, "foreign")
    assert told(await replay(agent, after_event_id=ids[0])) == ["n1", "n2"]
    for unknown in (foreign, "evt_nobody"):
        error = await agent.refused("replay:request", {"after_event_id": unknown})
        assert (error["reason"], error["field"]) == ("not_found", "after_event_id")


@pytest.mark.parametrize(
    ("fields", "reason", "field"),
    [
        ({"from": "yesterday"}, "invalid_payload", "from"),
        ({"to": 5}, "invalid_payload", "to"),
        ({"limit": 0}, "invalid_payload", "limit"),
        ({"limit": 1001}, "invalid_payload", "limit"),
        ({"tags": "red"}, "invalid_payload", "tags"),
        ({"agents": ["nul\x00"]}, "invalid_payload", "agents"),
        ({"cursor": "bm9uc2Vuc2U="}, "invalid_cursor", "cursor"),
        ({"cursor": "!"}, "invalid_cursor", "cursor"),
        ({"cursor": "é"}, "invalid_cursor", "cursor"),
        ({"cursor": 5}, "invalid_cursor", "cursor"),
    ],
)
async def test_d52_a_bad_request_is_refused(fleet: Fleet, fields: dict[str, Any], reason: str, field: str) -> None:
    agent, _ = await fleet.join("agent")
    error = await agent.refused("replay:request", fields)
    assert (error["reason"], error["field"]) == (reason, field)


async def test_a_page_fits_into_one_message_and_the_cursor_goes_on(fleet: Fleet) -> None:
    agent, _ = await fleet.join("agent")
    for number in range(12):
        await tell(agent, f"n{number}", data={"text": "x" * 99_000})
    first = await replay(agent)
    second = await replay(agent, cursor=first["next_cursor"])
    assert told(first) + told(second) == [f"n{number}" for number in range(12)]
    assert len(first["events"]) == 9


async def test_another_tenants_past_is_empty(fleet: Fleet, other_fleet: Fleet) -> None:
    agent, _ = await fleet.join("agent")
    stranger, _ = await other_fleet.join("stranger")
    await tell(agent, "mine")
    assert told(await replay(stranger)) == []


async def test_d105_the_history_survives_a_restart_and_is_longer_than_what_the_hub_holds_in_memory(tmp_path: Path) -> None:
    told_ones = [f"n{number}" for number in range(RECENT + 50)]
    async with running_hub(tmp_path) as hub, AsyncExitStack() as stack:
        agent, _ = await Fleet(hub, hub.keys, stack).join("agent")  # type: ignore[arg-type]  # a hub in this process does
        for description in told_ones:
            await tell(agent, description)
        keys = hub.keys
    async with running_hub(tmp_path) as hub, AsyncExitStack() as stack:
        agent, _ = await Fleet(hub, keys, stack).join("agent")  # type: ignore[arg-type]  # as above
        assert told(await replay(agent, limit=1000)) == told_ones
