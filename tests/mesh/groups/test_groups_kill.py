"""Promises 1 and 2 for groups: what was acknowledged is there after `kill -9`, once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ringforge_core.testkit.hub_process import HubProcess
from ringforge_core.testkit.phoenix_client import PhoenixClient
from ringforge_core.testkit.postgres import PostgresServer


@pytest.fixture(params=["sqlite", "postgresql"])
async def hub_process(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[HubProcess]:
    settings = {}
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        settings["RINGFORGE__STORE__URL"] = await server.new_database()
    hub = HubProcess(tmp_path / "hub", settings=settings)
    await hub.start()
    yield hub
    await hub.stop()


async def test_groups_members_and_messages_survive_a_kill(hub_process: HubProcess) -> None:
    keys = await hub_process.bootstrap()

    def agent(name: str) -> PhoenixClient:
        return PhoenixClient(hub_process.websocket_url, api_key=keys.agent_key, agent={"name": name})

    create = {"payload": {"name": "lasting"}, "_idempotency_key": "k1"}
    last = {"payload": {"message": 99}, "_idempotency_key": "k2"}
    async with agent("owner") as owner, agent("away") as away:
        joined = await owner.join()
        await away.join()
        group = await owner.ok("group:create", create)
        last["payload"]["group_id"] = group["group_id"]
        await away.ok("group:join", {"group_id": group["group_id"]})
        await _close(away)
        for number in range(20):
            await owner.ok("group:message", {"group_id": group["group_id"], "message": number})
        sent = await owner.ok("group:message", last)
        await hub_process.kill()
    await hub_process.start()
    async with agent("owner") as owner, agent("away") as away:
        await owner.join({"resume": {"epoch": joined["epoch"], "seq": joined["seq"]}})
        assert await owner.ok("group:create", create) == group
        assert await owner.ok("group:message", last) == sent
        await away.join()
        assert _messages([(await _expect(away, 99))]) == [99]
        assert _messages(away.pushes("group:message")) == [*range(20), 99], "all of them, in order, and no repeat"
        members = (await owner.ok("group:members", {"group_id": group["group_id"]}))["members"]
        assert [member["role"] for member in members] == ["owner", "member"]
        assert len(owner.pushes("group:created")) == len(owner.pushes("group:member_joined")) == 1
        await owner.ok("group:message", {"group_id": group["group_id"], "message": "on we go"})
        for client in (owner, away):
            await _expect(client, "on we go")


async def _close(client: PhoenixClient) -> None:
    await client.__aexit__(None, None, None)


async def _expect(client: PhoenixClient, message: Any) -> Any:
    found = await client.expect(
        lambda frame: frame.event == "group:message" and frame.payload["payload"]["message"] == message
    )
    return found.payload


def _messages(pushes: list[Any]) -> list[Any]:
    return [push["payload"]["message"] for push in pushes]
