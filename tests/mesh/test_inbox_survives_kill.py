"""The inbox under `kill -9`: nothing accepted is lost; what comes twice says so."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from direct_fleet import disconnect, gets_receipt, received, receives, send
from mesh_fleet import Fleet
from raw_websocket import RawClient, client_frame

from ringforge_core.testkit.hub_process import HubProcess
from ringforge_core.testkit.phoenix_client import PhoenixClient

BIG = "x" * 90_000


@pytest.fixture(params=["sqlite", "postgresql"])
async def fleet(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Fleet]:
    settings = {}
    if request.param == "postgresql":
        settings["RINGFORGE__STORE__URL"] = await request.getfixturevalue("postgres").new_database()
    hub = HubProcess(tmp_path / "hub", settings=settings)
    await hub.start()
    async with AsyncExitStack() as stack:
        yield Fleet(hub, await hub.bootstrap(), stack)  # type: ignore[arg-type]  # the keys under the same names
    await hub.stop()


async def test_a_full_inbox_survives_a_restart_in_order(fleet: Fleet) -> None:
    sender, _ = await fleet.join("sender")
    target, target_id = await fleet.join("target")
    await disconnect(target)
    sent = [(await send(sender, target_id, number))["message_id"] for number in range(1000)]
    assert (await send(sender, target_id, "too much"))["reason"] == "queue_full"
    await fleet.hub.restart()
    target, _ = await fleet.join("target")
    await receives(target, 999)
    assert received(target) == list(range(1000))
    pushes = [push["payload"] for push in target.pushes("direct:message")]
    assert [push["message_id"] for push in pushes] == sent
    sender, _ = await fleet.join("sender")
    assert (await send(sender, target_id, "room again"))["status"] == "delivered"


async def test_what_was_pushed_but_not_written_comes_again_after_a_kill(fleet: Fleet) -> None:
    """The reader has stopped: the hub holds messages that no kernel has taken, and dies with them."""
    sender, _ = await fleet.join("sender")
    target, target_id = await fleet.join("target")
    await disconnect(target)
    stopped = await stopped_reader(fleet, "target")
    sent = [(await send(sender, target_id, [number, BIG]))["message_id"] for number in range(120)]
    await fleet.hub.restart()
    first = [push["payload"] for push in await everything(stopped)]
    target, _ = await fleet.join("target")
    rest_ids = sent[len(first) :]
    assert rest_ids, "the reader's kernel took all: send more"
    await target.expect(lambda m: m.event == "direct:message" and m.payload["payload"]["message_id"] == sent[-1])
    second = [push["payload"] for push in target.pushes("direct:message")]
    assert [push["message_id"] for push in first] == sent[: len(first)]
    assert [push["message_id"] for push in second if push["message_id"] in rest_ids] == rest_ids
    doubles = [push for push in second if push["message_id"] not in rest_ids]
    assert all(push["attempt"] > 1 for push in doubles), "a double says that it may be one"


@pytest.mark.timeout(240)
async def test_d71_no_acknowledged_message_is_lost_over_kills_under_load(fleet: Fleet) -> None:
    accepted: list[str] = []
    seen: dict[str, list[dict[str, Any]]] = {}
    delivered_answers: set[str] = set()
    number = 0
    target_id = ""
    for kill in range(4):
        sender, _ = await fleet.join("sender")
        target, target_id = await fleet.join("target")

        async def talk(sender: PhoenixClient = sender, to: str = target_id) -> None:
            nonlocal number
            while True:
                number += 1
                reply = await send(sender, to, number, ack=number % 5 == 0)
                accepted.append(reply["message_id"])
                if reply["status"] == "delivered":
                    delivered_answers.add(reply["message_id"])

        enough = len(accepted) + 150
        talking = [asyncio.create_task(talk()) for _ in range(8)]
        while len(accepted) < enough:
            await asyncio.sleep(0.005)
            assert not any(task.done() for task in talking)
        await fleet.hub.kill()
        for task in talking:
            task.cancel()
        await asyncio.gather(*talking, return_exceptions=True)
        await target.expect_close()
        note(seen, target)
        if kill < 3:
            await fleet.hub.start()
    await fleet.hub.start()
    sender, _ = await fleet.join("sender")
    target, _ = await fleet.join("target")
    last = (await send(sender, target_id, "last"))["message_id"]
    await gets_receipt(sender, last)
    await receives(target, "last")
    note(seen, target)
    missing = [message_id for message_id in accepted if message_id not in seen]
    assert missing == []
    for pushes in seen.values():
        assert [push.get("attempt", 1) for push in pushes[1:]] == sorted({p.get("attempt", 1) for p in pushes[1:]} - {1})
    assert delivered_answers


def note(seen: dict[str, list[dict[str, Any]]], client: PhoenixClient) -> None:
    for push in client.pushes("direct:message"):
        seen.setdefault(push["payload"]["message_id"], []).append(push["payload"])


async def stopped_reader(fleet: Fleet, name: str) -> RawClient:
    """An agent that joins, reads up to its roster, and then no more."""
    headers = f"Authorization: Bearer {fleet.keys.agent_key}\r\n"
    query = "agent%5Bname%5D=" + name
    client = await RawClient.connect(fleet.hub.port, f"/ws/websocket?vsn=2.0.0&{query}", headers=headers)
    client.send(client_frame(json.dumps(["1", "1", "fleet:lobby", "phx_join", {}]).encode()))
    while json.loads(await client.text())[3] != "presence:roster":
        pass
    client.reader._transport.pause_reading()  # type: ignore[attr-defined]  # a stream reader would read ahead
    return client


async def everything(client: RawClient) -> list[dict[str, Any]]:
    """The messages that reached this client's kernel before the connection ended."""
    client.reader._transport.resume_reading()  # type: ignore[attr-defined]
    found = []
    while True:
        try:
            frame = json.loads(await client.text())
        except (asyncio.IncompleteReadError, ConnectionError):
            return found
        if frame[3] == "direct:message":
            found.append(frame[4])
