"""What a running hub enters of agents, keys and sign-ins, and how the command line shows and verifies it."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from websockets.exceptions import InvalidStatus

from ringforge_core.audit import read_entries, verify
from ringforge_core.identity import Keys
from ringforge_core.ports.store import Store
from ringforge_core.testkit.hub import running_hub
from ringforge_core.testkit.hub_process import HubProcess
from ringforge_core.testkit.phoenix_client import PATIENCE, PhoenixClient


async def actions(store: Store, tenant_id: str) -> list[str]:
    """Oldest first."""
    return [entry.action for entry in reversed(await read_entries(store, tenant_id, limit=100))]


async def test_the_life_of_an_agent_is_entered(tmp_path: Path) -> None:
    async with running_hub(tmp_path) as hub:
        store, keys = hub.hub.store, await hub.tenant("acme")
        begun = ["tenant.registered", "api_key.created", "api_key.created"]
        assert await actions(store, keys.tenant_id) == begun
        for _ in range(2):
            async with PhoenixClient(hub.websocket_url, api_key=keys.agent_key, agent={"name": "scout"}) as scout:
                agent_id = (await scout.join())["agent_id"]
        lived = ["agent.registered", *["agent.connected", "agent.disconnected"] * 2]
        async with asyncio.timeout(PATIENCE):
            while sorted(await actions(store, keys.tenant_id)) != sorted(begun + lived):  # noqa: ASYNC110 — nobody tells
                await asyncio.sleep(0.02)
        entries = await read_entries(store, keys.tenant_id, limit=100)
        (registered,) = [entry for entry in entries if entry.action == "agent.registered"]
        assert (registered.actor_type, registered.target_id, registered.ip_address) == ("key", agent_id, "127.0.0.1")
        connected = [entry for entry in entries if entry.action == "agent.connected"]
        assert {(entry.actor_type, entry.actor_id, entry.ip_address) for entry in connected} == {
            ("agent", agent_id, "127.0.0.1")
        }
        (key, *_) = await Keys(store).list(keys.tenant_id)
        await Keys(store).revoke(keys.tenant_id, key.id)
        await Keys(store).revoke(keys.tenant_id, key.id)
        assert (await actions(store, keys.tenant_id)).count("api_key.revoked") == 1
        assert {found.fault for found in await verify(store)} == {None}


async def test_d42_a_failed_sign_in_is_logged_without_its_key(tmp_path: Path) -> None:
    async with running_hub(tmp_path) as hub:
        guess = f"rf_live_{7:032}"
        with capture_logs() as logs, pytest.raises(InvalidStatus):
            async with PhoenixClient(hub.websocket_url, api_key=guess, agent={"name": "scout"}):
                pass
        failures = [line for line in logs if line["event"] == "auth.failed"]
        assert [(line["address"], line["reason"]) for line in failures] == [("127.0.0.1", "invalid_api_key")]
        assert guess not in repr(logs)


async def test_the_command_line_verifies_beside_a_running_hub_and_names_the_broken_row(tmp_path: Path) -> None:
    hub = HubProcess(tmp_path)
    await hub.start()
    try:
        await hub.bootstrap()
        assert "ok " in await hub.run("audit", "verify")
        shown = await hub.run("audit", "list", "--limit", "2")
        assert shown.count("api_key.created") == 2
        with sqlite3.connect(hub.directory / "data" / "hub.db") as connection:
            connection.execute("UPDATE audit_logs SET actor_id = 'nobody' WHERE seq = 2")
        with pytest.raises(RuntimeError, match=r"ended with 1: error: .* row 2 was changed"):
            await hub.run("audit", "verify")
    finally:
        await hub.stop()


async def test_a_store_without_an_audit_log_does_not_pass_for_a_verified_one(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="nothing was verified"):
        await HubProcess(tmp_path).run("audit", "verify")
