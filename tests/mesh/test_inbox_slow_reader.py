"""An agent that reads slowly keeps its messages in the inbox, not in the hub's memory, and loses none."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

from direct_fleet import direct_fleet, eventually, gets_receipt, receipts, received, receives, send, waiting
from mesh_fleet import Fleet
from raw_websocket import RawClient, client_frame

BIG = "x" * 90_000
MESSAGES = 150


async def test_messages_to_a_stopped_reader_wait_and_come_in_order_when_it_reads_again(tmp_path: Path) -> None:
    async with direct_fleet(tmp_path, hub__max_buffered_bytes=256 * 1024) as fleet:
        sender, _ = await fleet.join("sender")
        _, other_id = await fleet.join("other")
        reader, reader_id = await stopped_reader(fleet, "reader")
        replies = [await send(sender, reader_id, [number, BIG]) for number in range(MESSAGES)]
        assert replies[0]["status"] == "delivered"
        assert replies[-1]["status"] == "queued", "it is connected, but nothing was handed to its connection"
        assert (await send(sender, other_id, "fine"))["status"] == "delivered"
        assert 0 < (await waiting(fleet.hub.hub.store))[0] < MESSAGES
        assert len(receipts(sender)) < MESSAGES
        reader.reader._transport.resume_reading()  # type: ignore[attr-defined]
        numbers = []
        while len(numbers) < MESSAGES:
            frame = json.loads(await reader.text())
            if frame[3] == "direct:message":
                assert "attempt" not in frame[4]["payload"]
                numbers.append(frame[4]["payload"]["message"][0])
        assert numbers == list(range(MESSAGES)), "each once, in order, and the connection was not closed"
        await gets_receipt(sender, replies[-1]["message_id"])
        await eventually(lambda: is_empty(fleet))
        reader.vanish()


async def test_a_second_connection_that_reads_gets_what_the_first_does_not(tmp_path: Path) -> None:
    async with direct_fleet(tmp_path, hub__max_buffered_bytes=256 * 1024) as fleet:
        sender, _ = await fleet.join("sender")
        stopped, agent_id = await stopped_reader(fleet, "twin")
        reading, _ = await fleet.join("twin")
        for number in range(MESSAGES):
            assert (await send(sender, agent_id, [number, BIG]))["status"] == "delivered"
        await receives(reading, [MESSAGES - 1, BIG])
        assert [number for number, _ in received(reading)] == list(range(MESSAGES))
        await eventually(lambda: is_empty(fleet))
        stopped.vanish()


async def is_empty(fleet: Fleet) -> bool:
    return await waiting(fleet.hub.hub.store) == (0, 0)


async def stopped_reader(fleet: Fleet, name: str) -> tuple[RawClient, str]:
    """An agent that joins, reads up to its roster, and then no more; and its id."""
    headers = f"Authorization: Bearer {fleet.keys.agent_key}\r\n"
    port = urlsplit(fleet.hub.websocket_url).port or 0
    client = await RawClient.connect(port, f"/ws/websocket?vsn=2.0.0&agent%5Bname%5D={name}", headers=headers)
    client.send(client_frame(json.dumps(["1", "1", "fleet:lobby", "phx_join", {}]).encode()))
    joined = json.loads(await client.text())
    while json.loads(await client.text())[3] != "presence:roster":
        pass
    client.reader._transport.pause_reading()  # type: ignore[attr-defined]  # a stream reader would read ahead
    return client, joined[4]["response"]["agent_id"]
