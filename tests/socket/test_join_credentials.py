"""Clients that open a bare socket and bring their credentials in the join (wire protocol, 1.7, 2.1 and 2.4)."""

from __future__ import annotations

import asyncio
from typing import Any

from ringforge_core.testkit.hub import TestHub
from ringforge_core.testkit.phoenix_client import Message, PhoenixClient


def bare(hub: TestHub) -> PhoenixClient:
    """No query, no header."""
    return PhoenixClient(hub.websocket_url)


async def join(client: PhoenixClient, credentials: dict[str, Any]) -> Message:
    """With a constant join_ref, as those clients send it."""
    return await client.call("phx_join", {**credentials, "payload": {"state": "busy"}}, join_ref="join")


async def test_d78_a_client_that_authenticates_in_the_join_does_all_that_others_do(hub: TestHub) -> None:
    first = {"api_key": hub.keys.agent_key, "agent": {"name": "scout", "framework": "own"}}
    async with bare(hub) as client:
        joined = (await join(client, first)).response
        assert joined["agent_id"].startswith("ag_")
        assert joined["fleet_id"] == hub.keys.fleet_id
        roster = await client.expect_push("presence:roster")
        (me,) = roster["payload"]["agents"]
        assert (me["name"], me["framework"], me["state"]) == ("scout", "own", "busy")
        told = await client.ok("activity:broadcast", {"kind": "custom"}, join_ref=None)
        heard = await client.expect_push("activity:broadcast")
        assert heard["payload"]["event_id"] == told["event_id"]
        assert (await client.ok("memory:set", {"key": "k", "value": 1}, join_ref=None))["version"] == 1
        hub.hub.gateway.revoke(set(), {joined["agent_id"]}, set(), asyncio.get_running_loop().time())
        await client.expect_close()
    async with bare(hub) as client:
        again = (await join(client, {"agent_id": joined["agent_id"], "api_key": hub.keys.agent_key})).response
        assert (again["agent_id"], again["name"]) == (joined["agent_id"], "scout")


async def test_d78_a_refused_join_names_the_reason_and_the_next_one_may_be_good(hub: TestHub) -> None:
    other = await hub.tenant("other")
    refused = [
        ({}, "missing_credentials"),
        ({"agent": {"name": "scout"}}, "missing_credentials"),
        ({"api_key": "rf_live_" + "0" * 32, "agent": {}}, "invalid_api_key"),
        ({"api_key": hub.keys.admin_key, "agent": {}}, "wrong_key_type"),
        ({"api_key": hub.keys.agent_key, "agent": [1]}, "invalid_agent"),
    ]
    async with bare(hub) as client:
        for credentials, reason in refused:
            answer = await join(client, credentials)
            assert (answer.status, answer.response["reason"]) == ("error", reason)
            assert answer.response["message"]
            assert answer.response["fix"]
        assert (await join(client, {"api_key": hub.keys.agent_key, "agent": {"name": "scout"}})).status == "ok"
        stranger = await join(client, {"api_key": other.agent_key, "agent": {"name": "scout"}})
        assert (stranger.status, stranger.response["reason"]) == ("error", "identity_mismatch")
        assert (await join(client, {"api_key": hub.keys.agent_key, "agent": {"name": "scout"}})).status == "ok"
