"""`fleet:lobby` is one topic text for everybody, and a room for each fleet alone."""

from __future__ import annotations

from pathlib import Path

from ringforge_core.testkit.hub import running_hub
from ringforge_core.testkit.phoenix_client import PhoenixClient

FLEET_PUSHES = ("presence:joined", "presence:state_changed", "activity:broadcast", "group:created", "memory:changed")


async def test_d01_in_the_lobby_a_tenant_hears_of_its_own_fleet_alone(tmp_path: Path) -> None:
    async with running_hub(tmp_path) as hub:
        other = await hub.tenant("other")
        speaks = PhoenixClient(hub.websocket_url, api_key=hub.keys.agent_key, agent={"name": "speaks"})
        hears = PhoenixClient(hub.websocket_url, api_key=hub.keys.agent_key, agent={"name": "hears"})
        stranger = PhoenixClient(hub.websocket_url, api_key=other.agent_key, agent={"name": "stranger"})
        async with stranger, hears, speaks:
            for client in (stranger, hears):
                await client.join()
                await client.expect_push("presence:roster")
                await client.ok("memory:subscribe", {"pattern": "*"})
            before = len(stranger.seen)
            await speaks.join()
            await speaks.ok("presence:update", {"state": "busy"})
            await speaks.ok("activity:broadcast", {"kind": "custom"})
            await speaks.ok("group:create", {"name": "night shift"})
            await speaks.ok("memory:set", {"key": "k"})
            for push in FLEET_PUSHES:
                await hears.expect_push(push)
            (entry,) = (await stranger.ok("presence:roster"))["payload"]["agents"]
            assert entry["name"] == "stranger"
            assert [message.event for message in stranger.seen[before:]] == ["phx_reply"]
