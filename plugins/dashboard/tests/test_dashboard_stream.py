"""The event stream itself: it goes on after the last event that a tab has seen."""

from __future__ import annotations

import asyncio
import re

import pytest
from dashboard_visitor import Office

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_stream_resumes_after_the_last_event_id(shared_office: Office) -> None:
    keys, administration = shared_office.hub.keys, shared_office.hub.hub.administration
    async with shared_office.agent("ada") as ada:
        await ada.join()
        seen = await administration.position(keys.tenant_id, keys.fleet_id)
        for number in range(3):
            await ada.ok("activity:broadcast", {"kind": "custom", "description": f"missed {number}"})
        heard = await listen(shared_office, str(seen), until="missed 2")
        assert re.findall(r"missed \d", heard) == ["missed 0", "missed 1", "missed 2"]
        assert f"id: {seen.epoch}:{seen.seq + 3}" in heard
        assert "event: reset" not in heard
        assert "event: reset" in await listen(shared_office, f"strange:{seen.seq}", until="event: reset")


async def listen(shared_office: Office, last_event_id: str, *, until: str) -> str:
    """What a stream says up to these words."""
    heard = ""
    async with (
        asyncio.timeout(10),
        shared_office.owner.client.stream(
            "GET", "/dashboard/live?shows=activity", headers={"last-event-id": last_event_id}
        ) as stream,
    ):
        assert stream.headers["content-type"].startswith("text/event-stream")
        async for text in stream.aiter_text():
            heard += text
            if until in heard:
                break
    return heard
