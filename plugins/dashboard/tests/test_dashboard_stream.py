"""The event stream itself: it goes on after the last event that a tab has seen."""

from __future__ import annotations

import asyncio
import re

from dashboard_visitor import Office


async def test_a_stream_resumes_after_the_last_event_id(office: Office) -> None:
    keys, administration = office.hub.keys, office.hub.hub.administration
    async with office.agent("ada") as ada:
        await ada.join()
        seen = await administration.position(keys.tenant_id, keys.fleet_id)
        for number in range(3):
            await ada.ok("activity:broadcast", {"kind": "custom", "description": f"missed {number}"})
        heard = await listen(office, str(seen), until="missed 2")
        assert re.findall(r"missed \d", heard) == ["missed 0", "missed 1", "missed 2"]
        assert f"id: {seen.epoch}:{seen.seq + 3}" in heard
        assert "event: reset" not in heard
        assert "event: reset" in await listen(office, f"strange:{seen.seq}", until="event: reset")


async def listen(office: Office, last_event_id: str, *, until: str) -> str:
    """What a stream says up to these words."""
    heard = ""
    async with (
        asyncio.timeout(10),
        office.owner.client.stream(
            "GET", "/dashboard/live?shows=activity", headers={"last-event-id": last_event_id}
        ) as stream,
    ):
        assert stream.headers["content-type"].startswith("text/event-stream")
        async for text in stream.aiter_text():
            heard += text
            if until in heard:
                break
    return heard
