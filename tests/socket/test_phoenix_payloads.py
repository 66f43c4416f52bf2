"""Payloads: both forms, null as absent, errors that name the field, idempotency keys (wire protocol 1.6, 6.6)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from ringforge_core.testkit.hub import TestHub
from ringforge_core.testkit.phoenix_client import PhoenixClient

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def agent(tenant: TestHub) -> AsyncIterator[PhoenixClient]:
    async with PhoenixClient(tenant.websocket_url, api_key=tenant.keys.agent_key, agent={"name": "scout"}) as socket:
        await socket.join()
        yield socket


@pytest.mark.parametrize(
    "payload",
    [
        {"kind": "alert", "description": "smoke"},
        {"payload": {"kind": "alert", "description": "smoke"}},
        {"payload": {"kind": "alert", "description": "smoke"}, "kind": "custom", "description": "the inner one wins"},
        {"payload": "not an object", "kind": "alert", "description": "smoke"},
        {"kind": "alert", "description": "smoke", "tags": None, "data": None, "scope": None, "to": None},
        {"kind": "alert", "description": "smoke", "tomorrow": [1]},
    ],
)
async def test_flat_and_wrapped_payloads_with_nulls_and_strangers(agent: PhoenixClient, payload: Any) -> None:
    await agent.ok("activity:broadcast", payload)
    heard = (await agent.expect_push("activity:broadcast"))["payload"]
    assert (heard["kind"], heard["description"], heard["tags"], heard["data"]) == ("alert", "smoke", [], {})


@pytest.mark.parametrize(
    ("event", "payload", "reason", "field"),
    [
        ("activity:broadcast", {}, "missing_kind", "kind"),
        ("activity:broadcast", {"kind": None}, "missing_kind", "kind"),
        ("activity:broadcast", {"kind": "gossip"}, "invalid_activity_kind", "kind"),
        ("activity:broadcast", {"kind": "alert", "description": 5}, "invalid_payload", "description"),
        ("activity:broadcast", {"kind": "alert", "tags": ["ok", 7]}, "invalid_payload", "tags"),
        ("activity:broadcast", {"kind": "alert", "tags": "ok"}, "invalid_payload", "tags"),
        ("activity:broadcast", {"kind": "alert", "scope": "galaxy"}, "invalid_payload", "scope"),
        ("activity:broadcast", {"kind": "alert", "data": [1]}, "invalid_payload", "data"),
        ("activity:history", {"limit": "5"}, "invalid_payload", "limit"),
        ("activity:history", {"limit": 0}, "invalid_payload", "limit"),
        ("activity:subscribe", {}, "missing_tags", "tags"),
        ("presence:update", {"state": "asleep"}, "invalid_state", "state"),
        ("presence:update", {"load": -1}, "invalid_payload", "load"),
        ("presence:roster", [], "invalid_payload", "payload"),
        ("presence:roster", "text", "invalid_payload", "payload"),
        ("presence:roster", None, "invalid_payload", "payload"),
    ],
)
async def test_d52_a_wrong_field_is_named_and_the_channel_lives(
    agent: PhoenixClient, event: str, payload: Any, reason: str, field: str
) -> None:
    ref = await agent.send("fleet:lobby", event, payload)
    answer = await agent.expect(lambda message: message.ref == ref)
    assert (answer.status, answer.response["reason"], answer.response["field"]) == ("error", reason, field)
    assert answer.response["message"]
    assert answer.response["fix"]
    await agent.ok("presence:roster")


@pytest.mark.parametrize("opening", ['{"x":', "["])
async def test_d111_nesting_is_bounded_and_brackets_in_texts_do_not_count(agent: PhoenixClient, opening: str) -> None:
    closing = "}" if opening.startswith("{") else "]"
    deep = opening * 31 + "1" + closing * 31
    await agent.send_raw(f'["1","90","fleet:lobby","activity:broadcast",{{"kind":"custom","data":{{"d":{deep}}}}}]')
    answer = await agent.expect(lambda message: message.ref == "90")
    assert (answer.status, answer.response["reason"]) == ("error", "invalid_payload")
    await agent.ok("activity:broadcast", {"kind": "custom", "data": {"d": "[{" * 500 + '"' + "\\"}})


async def test_the_same_key_gives_the_same_reply_and_does_nothing_else(agent: PhoenixClient) -> None:
    request = {"payload": {"kind": "custom", "description": "once"}, "_idempotency_key": "k-1"}
    first = await agent.ok("activity:broadcast", request)
    assert await agent.ok("activity:broadcast", request) == first
    inside = {"payload": {"kind": "custom", "description": "once", "_idempotency_key": "k-1"}}
    assert await agent.ok("activity:broadcast", inside) == first
    await agent.ok("presence:roster")
    assert len(agent.pushes("activity:broadcast")) == 1
    assert (await agent.ok("activity:history"))["payload"]["count"] == 1


async def test_d72_the_same_key_with_another_payload_is_a_conflict(agent: PhoenixClient) -> None:
    await agent.ok("activity:broadcast", {"kind": "custom", "description": "one", "_idempotency_key": "k"})
    error = await agent.refused("activity:broadcast", {"kind": "custom", "description": "two", "_idempotency_key": "k"})
    assert error["reason"] == "idempotency_conflict"


async def test_a_refusal_is_not_kept_under_its_key(agent: PhoenixClient) -> None:
    wrong = {"kind": "custom", "scope": "direct", "to": "ag_000000000000", "_idempotency_key": "k"}
    assert (await agent.refused("activity:broadcast", wrong))["reason"] == "not_found"
    await agent.ok("activity:broadcast", {"kind": "custom", "_idempotency_key": "k"})


@pytest.mark.parametrize("key", ["", 7, {}, "x" * 201])
async def test_a_malformed_key_is_refused(agent: PhoenixClient, key: Any) -> None:
    error = await agent.refused("activity:broadcast", {"kind": "custom", "_idempotency_key": key})
    assert (error["reason"], error["field"]) == ("invalid_payload", "_idempotency_key")


async def test_racing_copies_of_one_key_are_done_once(tenant: TestHub) -> None:
    request = json.dumps({"kind": "custom", "description": "race", "_idempotency_key": "race"})
    clients = [
        PhoenixClient(tenant.websocket_url, api_key=tenant.keys.agent_key, agent={"name": "racer"}) for _ in range(8)
    ]
    async with asyncio.TaskGroup() as opening:
        for socket in clients:
            opening.create_task(socket.__aenter__())
    try:
        for socket in clients:
            await socket.join()
        answers = await asyncio.gather(
            *(socket.ok("activity:broadcast", json.loads(request)) for socket in clients for _ in range(5))
        )
        assert len({answer["event_id"] for answer in answers}) == 1
        assert (await clients[0].ok("activity:history"))["payload"]["count"] == 1
    finally:
        for socket in clients:
            await socket.__aexit__(None, None, None)
