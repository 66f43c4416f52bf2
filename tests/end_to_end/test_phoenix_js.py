"""The official Phoenix client (npm `phoenix`) joins, speaks, hears, leaves, reconnects and rejoins by itself."""

from __future__ import annotations

import asyncio
import json
import shutil
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ringforge_core.testkit.hub_process import HubProcess

FOLDER = Path(__file__).parent.parent / "phoenix_js"

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is missing: install it to test phoenix.js"),
    pytest.mark.skipif(not (FOLDER / "node_modules" / "phoenix").is_dir(), reason="run `npm install` in tests/phoenix_js"),
]


class PhoenixJs:
    """The Node process; `expect` takes its messages in order and skips what it does not look for."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def do(self, command: str, **more: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"command": command, **more}).encode() + b"\n")
        await self._process.stdin.drain()

    async def expect(self, matches: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        assert self._process.stdout is not None
        async with asyncio.timeout(30):
            while line := await self._process.stdout.readline():
                message: dict[str, Any] = json.loads(line)
                if matches(message):
                    return message
        raise AssertionError("the client ended")

    async def did(self, what: str) -> dict[str, Any]:
        return await self.expect(lambda message: message.get("did") == what)

    async def heard(self, event: str, description: str) -> dict[str, Any]:
        return await self.expect(
            lambda message: (
                message.get("heard") == event and message["payload"]["payload"].get("description") == description
            )
        )


@asynccontextmanager
async def phoenix_js(hub: HubProcess, api_key: str, name: str) -> AsyncIterator[PhoenixJs]:
    process = await asyncio.create_subprocess_exec(
        "node", str(FOLDER / "client.mjs"), f"{hub.websocket_url}/ws", api_key, name, stdin=PIPE, stdout=PIPE
    )
    try:
        client = PhoenixJs(process)
        await client.did("open")
        yield client
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_the_official_client_lives_a_whole_life(hub_process: HubProcess) -> None:
    key = (await hub_process.bootstrap()).agent_key
    async with phoenix_js(hub_process, key, "one") as one, phoenix_js(hub_process, key, "two") as two:
        await one.do("join")
        assert (await one.did("joined"))["response"]["name"] == "one"
        roster = (await one.expect(lambda message: message.get("heard") == "presence:roster"))["payload"]["payload"]
        assert [(agent["name"], agent["state"], agent["capabilities"]) for agent in roster["agents"]] == [
            ("one", "busy", ["listen", "speak"])  # D-30: phoenix.js sends the list as a map of its indexes
        ]
        await two.do("join")
        await two.did("joined")
        await one.expect(
            lambda message: message.get("heard") == "presence:joined" and message["payload"]["payload"]["name"] == "two"
        )

        await one.do("push", event="activity:broadcast", payload={"kind": "custom", "description": "hello"})
        for client in (one, two):
            heard = await client.heard("activity:broadcast", "hello")
            assert heard["payload"]["payload"]["from"]["name"] == "one"

        await one.do("push", event="no:such", payload={})
        assert (await one.did("push-refused"))["response"]["reason"] == "unknown_event"

        await hub_process.restart()  # kill -9: phoenix.js must come back and rejoin without being told
        for client in (one, two):
            await client.did("close")
            await client.did("joined")
        await two.do("push", event="activity:broadcast", payload={"kind": "custom", "description": "back again"})
        for client in (one, two):
            await client.heard("activity:broadcast", "back again")

        await two.do("leave")
        await two.did("left")
        await one.expect(
            lambda message: message.get("heard") == "presence:left" and message["payload"]["payload"]["name"] == "two"
        )
        await two.do("join")
        await two.did("joined")


async def test_the_official_client_rejoins_after_a_drain(hub_process: HubProcess) -> None:
    key = (await hub_process.bootstrap()).agent_key
    async with phoenix_js(hub_process, key, "one") as one:
        await one.do("join")
        await one.did("joined")
        await hub_process.stop()
        assert (await one.did("close"))["code"] == 1012
        await hub_process.start()
        await one.did("joined")


async def test_a_wrong_key_is_refused_at_the_door(hub_process: HubProcess) -> None:
    process = await asyncio.create_subprocess_exec(
        "node", str(FOLDER / "client.mjs"), f"{hub_process.websocket_url}/ws", "rf_live_" + "0" * 32, "thief",
        stdin=PIPE, stdout=PIPE,
    )  # fmt: skip
    try:
        closed = await PhoenixJs(process).did("close")
        assert closed["code"] == 1006  # the handshake was answered with 403
    finally:
        process.kill()
        await process.wait()
