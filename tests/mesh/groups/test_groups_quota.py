"""Group messages use up the tenant's messages of the day, and nothing else of a group does."""

from __future__ import annotations

import pytest
from group_fleet import GroupFleet

pytestmark = pytest.mark.asyncio(loop_scope="module")

SETTINGS = {"RINGFORGE__LIMITS__UNLIMITED__MESSAGES_TODAY": "3"}


async def test_d44_group_messages_count_once_each_when_accepted_and_the_channel_goes_on(fleet: GroupFleet) -> None:
    sender, stranger = await fleet.join("sender"), await fleet.join("stranger")
    group_id = await sender.create("counted", invite=[await fleet.joined_and_gone("away")])
    request = {"payload": {"group_id": group_id, "message": 1}, "_idempotency_key": "k1"}
    for _ in range(2):
        await sender.client.ok("group:message", request)
    assert await stranger.refused("message", group_id=group_id, message="no") == "not_member"
    assert await sender.refused("message", group_id=group_id, message="x" * 100_000) == "payload_too_large"
    await sender.say(group_id, 2)
    await sender.say(group_id, 3)
    error = await sender.client.refused("group:message", {"group_id": group_id, "message": 4})
    assert (error["reason"], error["resource"]) == ("quota_exceeded", "messages_today")
    await sender.told("message", message=3)
    assert sender.messages() == [1, 2, 3], "what is refused reaches nobody"
    await stranger.ok("join", group_id=group_id)
    await sender.ok("dissolve", group_id=group_id)
    away = await fleet.join("away")
    await away.told("message", message=3)
    assert away.messages() == [1, 2, 3]
