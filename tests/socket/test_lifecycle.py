"""How connections end: idle, without a join, too slow, revoked, drained (wire protocol 1.5)."""

from __future__ import annotations

import asyncio
import json
import socket as sockets

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from ringforge_core.identity import HUB, Keys, delete_agent
from ringforge_core.testkit.hub import TestHub
from ringforge_core.testkit.phoenix_client import PhoenixClient


def client(hub: TestHub, name: str) -> PhoenixClient:
    return PhoenixClient(hub.websocket_url, api_key=hub.keys.agent_key, agent={"name": name})


@pytest.mark.settings(hub__idle_seconds="0.6")
async def test_a_silent_connection_is_closed_and_a_beating_one_is_not(hub: TestHub) -> None:
    async with client(hub, "silent") as silent, client(hub, "beating") as beating:
        await silent.join()
        await beating.join()
        async with asyncio.TaskGroup() as tasks:

            async def beat() -> None:
                while silent.closed is None:
                    await beating.send("phoenix", "heartbeat", {}, join_ref=None)
                    await asyncio.sleep(0.1)

            tasks.create_task(beat())
            assert (await silent.expect_close())[0] == 1002
        await beating.ok("presence:roster")


@pytest.mark.settings(hub__join_deadline_seconds="2")
async def test_a_socket_that_never_authenticates_is_closed(hub: TestHub) -> None:
    async with PhoenixClient(hub.websocket_url) as nobody, PhoenixClient(hub.websocket_url) as somebody:
        await somebody.join({"api_key": hub.keys.agent_key, "agent": {"name": "somebody"}})
        await nobody.send("phoenix", "heartbeat", {}, join_ref=None)
        assert (await nobody.expect_close())[0] == 1008
        await somebody.ok("presence:roster")


async def test_who_was_let_in_again_is_not_closed_for_what_was_read_before(hub: TestHub) -> None:
    """A block is lifted and the agent is back, while the watch still reads that it was blocked."""
    clock = asyncio.get_running_loop().time
    asked_at = clock()
    async with client(hub, "back") as back:
        agent_id = (await back.join())["agent_id"]
        hub.hub.gateway.revoke(set(), {agent_id}, set(), asked_at)
        await back.ok("presence:roster")
        hub.hub.gateway.revoke(set(), {agent_id}, set(), clock())
        assert (await back.expect_close())[0] == 1008


async def test_d27_a_revoked_key_closes_its_sockets_and_no_others(hub: TestHub) -> None:
    keys = Keys(hub.hub.store)
    doomed = await keys.create(hub.keys.tenant_id, kind="live")
    async with (
        PhoenixClient(hub.websocket_url, api_key=doomed.key, agent={"name": "doomed"}) as ending,
        client(hub, "staying") as staying,
    ):
        await ending.join()
        await staying.join()
        async with asyncio.timeout(5):
            await keys.revoke(hub.keys.tenant_id, doomed.id)
            assert (await ending.expect_close()) == (1008, "api key revoked")
        assert ending.pushes("system:key_revoked")
        await staying.ok("presence:roster")
    with pytest.raises(InvalidStatus, match="403"):
        await _connect_until_refused(hub, doomed.key)


async def test_d27_a_deleted_agent_loses_its_sockets(hub: TestHub) -> None:
    async with client(hub, "doomed") as doomed:
        agent_id = (await doomed.join())["agent_id"]
        async with asyncio.timeout(5):
            await delete_agent(hub.hub.store, hub.keys.tenant_id, agent_id, actor=HUB)
            assert (await doomed.expect_close())[0] == 1008


async def test_d109_draining_says_goodbye_closes_with_1012_and_refuses_new_sockets(hub: TestHub) -> None:
    async with client(hub, "one") as one, client(hub, "two") as two:
        await one.join()
        await two.join()
        await hub.hub.gateway.drain(seconds=3)
        for socket in (one, two):
            assert (await socket.expect_close())[0] == 1012
            assert socket.pushes("system:node_draining")[0]["payload"]["reconnect_after_ms"] == 1000
        with pytest.raises(InvalidStatus, match="503"):
            async with client(hub, "late"):
                pass
        async with httpx.AsyncClient(base_url=hub.http_url) as http:
            ready = await http.get("/api/health/ready")
            assert (ready.status_code, ready.json()["dependencies"]["hub"]) == (503, "draining")
            assert (await http.get("/api/health")).json() == {"status": "ok"}


@pytest.mark.settings(hub__max_buffered_bytes="200000")
async def test_d112_a_reader_that_never_reads_is_closed_and_nobody_waits_for_it(hub: TestHub) -> None:
    stalled = await _join_and_never_read(hub)
    async with client(hub, "speaker") as speaker, client(hub, "listener") as listener:
        await speaker.join()
        await listener.join()
        gateway = hub.hub.gateway
        body = "x" * 9_000
        number = 0
        while not gateway.measures.closes[1013] and number < 3_000:
            await speaker.ok("activity:broadcast", {"kind": "custom", "description": body})
            number += 1
        assert gateway.measures.closes[1013] == 1
        await listener.expect(lambda message: message.payload.get("seq") == number)
        assert len(listener.pushes("activity:broadcast")) == number
    stalled.close()


async def _connect_until_refused(hub: TestHub, api_key: str) -> None:
    """A key that was verified a moment ago may still open sockets, which are closed again."""
    async with asyncio.timeout(5):
        while True:
            async with PhoenixClient(hub.websocket_url, api_key=api_key, agent={"name": "late"}) as late:
                await late.expect_close()


async def _join_and_never_read(hub: TestHub) -> sockets.socket:
    """A client with a small receive buffer that joins and then takes nothing."""
    host, port = hub.http_url.removeprefix("http://").split(":")
    peer = sockets.socket()
    peer.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    peer.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(peer, (host, int(port)))
    head = (
        f"GET /ws/websocket?agent=%7B%7D HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {hub.keys.agent_key}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    await loop.sock_sendall(peer, head.encode())
    assert b" 101 " in await loop.sock_recv(peer, 4096)
    join = json.dumps(["1", "1", "fleet:lobby", "phx_join", {}]).encode()
    await loop.sock_sendall(peer, bytes([0x81, 0x80 | len(join), 0, 0, 0, 0]) + join)
    while not hub.hub.gateway.rooms.agent_count():  # noqa: ASYNC110 — the test looks into the hub it runs
        await asyncio.sleep(0.01)
    return peer
