"""Two hubs on one PostgreSQL are one to their agents; the bus is the local one, which carries nothing between them."""

from __future__ import annotations

import asyncio
from typing import Any

from ringforge_core.identity import Keys
from ringforge_core.limits.rates import RateLimiter
from ringforge_core.testkit.phoenix_client import PATIENCE, Message, PhoenixClient

JOINED, LEFT, STATE = "presence:joined", "presence:left", "presence:state_changed"


def said(text: str, **fields: Any) -> dict[str, Any]:
    return {"kind": "custom", "description": text, **fields}


def has(event: str, **fields: Any) -> Any:
    """A matcher for a push whose payload has these fields."""

    def matches(message: Message) -> bool:
        return message.event == event and fields.items() <= message.payload.get("payload", {}).items()

    return matches


async def names(client: PhoenixClient) -> set[str]:
    return {agent["name"] for agent in (await client.ok("presence:roster"))["payload"]["agents"]}


async def numbers(client: PhoenixClient, count: int) -> list[int]:
    """The numbers of the activity pushes, once there are so many."""
    async with asyncio.timeout(PATIENCE):
        while len(pushes := client.pushes("activity:broadcast")) < count:  # noqa: ASYNC110 — nobody tells how many came
            await asyncio.sleep(0.01)
    return [push["seq"] for push in pushes]


async def test_what_is_told_at_one_hub_is_heard_at_both_in_one_order(hubs: Any) -> None:
    here, there = await hubs.join(hubs.here, "here"), await hubs.join(hubs.there, "there")
    for start in range(0, 60, 20):
        await asyncio.gather(
            *(client.ok("activity:broadcast", said(f"{n}")) for n in range(start, start + 20) for client in (here, there))
        )
    heard_here, heard_there = await numbers(here, 120), await numbers(there, 120)
    first = heard_here[0]
    assert heard_here == heard_there == list(range(first, first + 120))


async def test_presence_is_of_all_hubs(hubs: Any) -> None:
    here = await hubs.join(hubs.here, "here")
    there = await hubs.join(hubs.there, "there")
    await here.expect(has(JOINED, name="there", node="there"))
    assert await names(here) == await names(there) == {"here", "there"}
    await there.ok("presence:update", {"state": "busy", "task": "digging", "load": 0.5})
    await here.expect(has(STATE, name="there", state="busy", task="digging"))
    third = await hubs.join(hubs.there, "third")
    assert await names(third) == {"here", "there", "third"}
    await third.__aexit__(None, None, None)
    await here.expect(has(LEFT, name="third"))
    await there.expect(has(LEFT, name="third"))
    assert await names(here) == {"here", "there"}


async def test_an_agent_at_two_hubs_is_one_and_moves_between_them_unnoticed(hubs: Any) -> None:
    watcher = await hubs.join(hubs.here, "watcher")
    first = await hubs.join(hubs.here, "worker")
    await watcher.expect(has(JOINED, name="worker"))
    second = await hubs.join(hubs.there, "worker")
    await first.__aexit__(None, None, None)
    await asyncio.sleep(0.5)  # the leave, which would come after 0.2 s
    assert [push["payload"]["name"] for push in watcher.pushes(JOINED)] == ["watcher", "worker"]
    assert watcher.pushes(LEFT) == []
    (worker,) = [a for a in (await watcher.ok("presence:roster"))["payload"]["agents"] if a["name"] == "worker"]
    assert worker["node"] == "there"
    await second.__aexit__(None, None, None)
    await watcher.expect(has(LEFT, name="worker"))


async def test_a_hub_that_comes_later_knows_who_is_there(hubs: Any) -> None:
    await hubs.join(hubs.here, "early")
    await hubs.there.hub._registry.beat()
    late = await hubs.join(hubs.there, "late")
    assert await names(late) == {"early", "late"}


async def test_direct_messages_and_typing_cross_over(hubs: Any) -> None:
    here, there = await hubs.join(hubs.here, "here"), await hubs.join(hubs.there, "there")
    for number in range(10):
        await here.ok("direct:send", {"to": there.joined["agent_id"], "message": f"{number}"})
    await there.expect(has("direct:message", message="9"))
    assert [push["payload"]["message"] for push in there.pushes("direct:message")] == [f"{n}" for n in range(10)]
    await there.send("fleet:lobby", "message:typing", {"to": here.joined["agent_id"]})
    await here.expect_push("message:typing")
    async with asyncio.timeout(PATIENCE):
        while (await there.ok("message:queued"))["payload"]["count"]:  # noqa: ASYNC110 — an inbox tells nobody
            await asyncio.sleep(0.05)


async def test_group_messages_reach_members_at_the_other_hub(hubs: Any) -> None:
    here, there = await hubs.join(hubs.here, "here"), await hubs.join(hubs.there, "there")
    group = (await here.ok("group:create", {"name": "crew", "type": "squad"}))["group_id"]
    await there.ok("group:join", {"group_id": group})
    await here.expect(has("group:member_joined", group_id=group))
    await here.ok("group:message", {"group_id": group, "message": "hello crew"})
    await there.expect(has("group:message", message="hello crew"))


async def test_memory_is_never_older_than_what_was_heard(hubs: Any) -> None:
    here, there = await hubs.join(hubs.here, "here"), await hubs.join(hubs.there, "there")
    await there.ok("memory:subscribe", {"pattern": "*"})
    for number in range(20):
        await here.ok("memory:set", {"key": "k", "value": number})
        await there.expect(has("memory:changed", version=number + 1))
        assert (await there.ok("memory:get", {"key": "k"}))["payload"]["value"] == number


async def test_a_subscription_follows_its_agent_to_the_other_hub(hubs: Any) -> None:
    speaker = await hubs.join(hubs.here, "speaker")
    for hub in (hubs.here, hubs.there):
        await hubs.join(hub, "follower")
    first = await hubs.join(hubs.here, "follower")
    await first.ok("activity:subscribe", {"tags": ["deploy"]})
    await first.ok("memory:subscribe", {"pattern": "plan.*"})
    moved = await hubs.join(hubs.there, "follower")
    await speaker.ok("activity:broadcast", said("shipped", scope="tagged", tags=["deploy"]))
    await speaker.ok("memory:set", {"key": "plan.today", "value": 1})
    await moved.expect_push("activity:broadcast")
    await moved.expect_push("memory:changed")


async def test_an_idempotency_key_counts_at_both_hubs(hubs: Any) -> None:
    here, there = await hubs.join(hubs.here, "worker"), await hubs.join(hubs.there, "worker")
    message = said("once") | {"_idempotency_key": "the-key"}
    answers = await asyncio.gather(*(client.ok("activity:broadcast", message) for client in (here, there) * 5))
    assert len({str(answer) for answer in answers}) == 1
    assert len(await numbers(here, 1)) == 1


async def test_what_was_missed_at_one_hub_is_resumed_at_the_other(hubs: Any) -> None:
    speaker = await hubs.join(hubs.here, "speaker")
    listener = await hubs.join(hubs.here, "listener")
    seen = listener.joined
    await listener.__aexit__(None, None, None)
    sent = [await speaker.ok("activity:broadcast", said(f"{n}")) for n in range(5)]
    there = await hubs.connect(hubs.there, "listener")
    reply = await there.join({"resume": {"epoch": seen["epoch"], "seq": seen["seq"]}})
    assert reply["resume"]["status"] == "resumed"
    assert len(await numbers(there, len(sent))) == 5


async def test_a_revoked_key_closes_sockets_at_both_hubs(hubs: Any) -> None:
    here, there = await hubs.join(hubs.here, "here"), await hubs.join(hubs.there, "there")
    for key in await Keys(hubs.here.hub.store).list(hubs.keys.tenant_id):
        await Keys(hubs.here.hub.store).revoke(hubs.keys.tenant_id, key.id)
    async with asyncio.timeout(5):
        assert (await there.expect_close())[0] == (await here.expect_close())[0] == 1008


async def test_both_hubs_count_one_rate(hubs: Any) -> None:
    here: RateLimiter = hubs.here.hub.limits.sign_in._limiter
    there: RateLimiter = hubs.there.hub.limits.sign_in._limiter
    for _ in range(10):
        assert here.check("10/minute", "tries", "a") is None
    async with asyncio.timeout(PATIENCE):
        while there.peek("10/minute", "tries", "a") is None:  # noqa: ASYNC110 — nobody tells
            await asyncio.sleep(0.02)
    assert there.peek("10/minute", "tries", "b") is None
