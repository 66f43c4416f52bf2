"""The Phoenix V2 rules of frames and channels (wire protocol, sections 1.2 and 1.6)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ringforge_core.testkit.hub import TestHub
from ringforge_core.testkit.phoenix_client import Message, PhoenixClient

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOT_FRAMES = [
    "", "{}", "[]", "null", "[1,2,3,4,5", '["1","1","fleet:lobby","phx_join"]', '[{},"1","t","e",{}]', '["1","1",5,"e",{}]',
    "[" * 50_000,
]  # fmt: skip


def client(tenant: TestHub, name: str = "scout", **more: Any) -> PhoenixClient:
    return PhoenixClient(tenant.websocket_url, api_key=tenant.keys.agent_key, agent={"name": name}, **more)


def _is_activity_on(topic: str) -> Callable[[Message], bool]:
    return lambda message: message.event == "activity:broadcast" and message.topic == topic


async def test_heartbeat_is_answered_before_any_authentication(tenant: TestHub) -> None:
    async with PhoenixClient(tenant.websocket_url) as socket:
        ref = await socket.send("phoenix", "heartbeat", {}, join_ref=None)
        answer = await socket.expect(lambda message: message.ref == ref)
        assert answer == Message(None, ref, "phoenix", "phx_reply", {"status": "ok", "response": {}})


async def test_a_join_names_agent_fleet_and_place_in_the_log(tenant: TestHub) -> None:
    async with client(tenant) as socket:
        joined = await socket.join()
        assert joined["agent_id"].startswith("ag_")
        assert joined["fleet_id"] == tenant.keys.fleet_id
        assert joined["topic"] == f"fleet:{tenant.keys.fleet_id}"
        assert (joined["name"], joined["heartbeat_ms"], joined["seq"]) == ("scout", 30_000, 0)


@pytest.mark.parametrize("ref", ["7", 7, None, "text", 1.5, True])
async def test_refs_are_echoed_as_they_came(tenant: TestHub, ref: Any) -> None:
    async with client(tenant) as socket:
        await socket.send("fleet:lobby", "phx_join", {}, join_ref=ref, ref=ref if ref is not None else "1")
        answer = await socket.expect(lambda message: message.event == "phx_reply")
        assert answer.join_ref == ref
        assert answer.status == "ok"


async def test_join_of_an_unknown_topic(tenant: TestHub) -> None:
    async with client(tenant) as socket:
        answer = await socket.call("phx_join", topic="weather:today")
        assert (answer.join_ref, answer.status, answer.response["reason"]) == (None, "error", "unmatched topic")


async def test_join_of_another_fleet_tells_the_right_one(tenant: TestHub) -> None:
    async with client(tenant) as socket:
        error = await socket.refused("phx_join", topic="fleet:00000000-0000-4000-8000-000000000000")
        assert (error["reason"], error["your_fleet_id"]) == ("fleet_id_mismatch", tenant.keys.fleet_id)
        await socket.join(topic=f"fleet:{error['your_fleet_id']}")


async def test_push_on_a_topic_that_is_not_joined(tenant: TestHub) -> None:
    async with client(tenant) as socket:
        answer = await socket.call("presence:roster")
        assert (answer.join_ref, answer.response["reason"]) == (None, "unmatched topic")


async def test_leave_answers_then_closes_the_channel(tenant: TestHub) -> None:
    async with client(tenant) as socket:
        await socket.join(join_ref="4")
        ref = await socket.send("fleet:lobby", "phx_leave", {}, join_ref="4")
        closed = await socket.expect(lambda message: message.event == "phx_close")
        assert closed == Message("4", "4", "fleet:lobby", "phx_close", {})
        answer = await socket.expect(lambda message: message.ref == ref)
        assert (answer.join_ref, answer.status, answer.response) == ("4", "ok", {})
        assert socket.seen.index(answer) < socket.seen.index(closed)
        assert (await socket.refused("presence:roster"))["reason"] == "unmatched topic"


async def test_leave_of_a_topic_that_is_not_joined_is_ok(tenant: TestHub) -> None:
    async with client(tenant) as socket:
        answer = await socket.call("phx_leave", join_ref="9")
        assert (answer.join_ref, answer.status, answer.response) == ("9", "ok", {})


async def test_a_second_join_replaces_the_first(tenant: TestHub) -> None:
    async with client(tenant) as socket:
        await socket.join(join_ref="1")
        ref = await socket.send("fleet:lobby", "phx_join", {}, join_ref="2")
        closed = await socket.expect(lambda message: message.event == "phx_close")
        answer = await socket.expect(lambda message: message.ref == ref)
        assert (closed.join_ref, answer.join_ref, answer.status) == ("1", "2", "ok")
        assert socket.seen.index(answer) < socket.seen.index(closed)
        await socket.ok("presence:roster", join_ref="2")


async def test_a_message_of_an_earlier_join_is_dropped_without_a_reply(tenant: TestHub) -> None:
    async with client(tenant) as socket:
        await socket.join(join_ref="2")
        stale = await socket.send("fleet:lobby", "presence:roster", {}, join_ref="1")
        stale_leave = await socket.send("fleet:lobby", "phx_leave", {}, join_ref="1")
        await socket.ok("presence:roster", join_ref="2")
        assert not [message for message in socket.seen if message.ref in (stale, stale_leave)]


@pytest.mark.parametrize(("joined_with", "sent_with"), [("3", None), (None, "8"), (None, None)])
async def test_a_null_join_ref_on_either_side_is_never_stale(tenant: TestHub, joined_with: Any, sent_with: Any) -> None:
    async with client(tenant) as socket:
        await socket.join(join_ref=joined_with)
        answer = await socket.call("presence:roster", join_ref=sent_with)
        assert (answer.join_ref, answer.status) == (joined_with, "ok")


async def test_d01_lobby_and_real_topic_are_two_channels_each_under_its_own_name(tenant: TestHub) -> None:
    async with client(tenant) as socket, client(tenant, "speaker") as speaker:
        real = (await socket.join(join_ref="1"))["topic"]
        await socket.join(topic=real, join_ref="2")
        await speaker.join()
        said = await speaker.ok("activity:broadcast", {"kind": "discovery", "description": "water"})
        for topic in ("fleet:lobby", real):
            heard = await socket.expect(_is_activity_on(topic))
            assert heard.payload["payload"]["event_id"] == said["event_id"]
        await socket.ok("presence:roster", topic=real, join_ref="2")
        assert len(socket.pushes("activity:broadcast")) == 2


async def test_no_more_than_eight_channels_on_a_socket(tenant: TestHub) -> None:
    async with client(tenant) as socket:
        answers = [await socket.call("phx_join", topic=f"weather:{number}") for number in range(12)]
        assert {answer.response["reason"] for answer in answers} == {"unmatched topic"}  # refused joins hold no place


@pytest.mark.parametrize("message", NOT_FRAMES)
async def test_what_is_not_a_frame_closes_with_1007_and_nobody_else_notices(tenant: TestHub, message: str) -> None:
    async with client(tenant) as socket, client(tenant, "bystander") as bystander:
        await bystander.join()
        await socket.join()
        await socket.send_raw(message)
        assert (await socket.expect_close())[0] == 1007
        await bystander.ok("presence:roster")


async def test_items_past_the_fifth_are_ignored(tenant: TestHub) -> None:
    async with client(tenant) as socket:
        await socket.send_raw(json.dumps(["1", "1", "fleet:lobby", "phx_join", {}, "more", 6]))
        assert (await socket.expect(lambda message: message.event == "phx_reply")).status == "ok"


async def test_binary_pushes_are_answered_not_supported(tenant: TestHub) -> None:
    async with client(tenant) as socket:
        await socket.join()
        texts = ["1", "77", "fleet:lobby", "memory:set"]
        await socket.send_raw(bytes([0, *map(len, texts)]) + "".join(texts).encode() + b"\x00\x01data")
        answer = await socket.expect(lambda message: message.ref == "77")
        assert (answer.status, answer.response["reason"]) == ("error", "binary_not_supported")
        await socket.send_raw(b"\x00\xff\xff\xff\xffshort")
        assert (await socket.expect_close())[0] == 1007


@pytest.mark.parametrize("event", ["phx_reply", "phx_error", "phx_close", "no:such", ""])
async def test_d52_unknown_events_get_an_answer_and_the_channel_lives(tenant: TestHub, event: str) -> None:
    async with client(tenant) as socket:
        await socket.join()
        error = await socket.refused(event, {"any": "thing"})
        assert (error["reason"], error["event"]) == ("unknown_event", event)
        await socket.ok("presence:roster")


async def test_replies_of_one_channel_come_in_the_order_of_the_requests(tenant: TestHub) -> None:
    async with client(tenant) as socket:
        await socket.join()
        refs = [
            await socket.send("fleet:lobby", event, payload)
            for _ in range(20)
            for event, payload in (
                ("activity:broadcast", {"kind": "custom"}),
                ("presence:roster", {}),
                ("activity:history", {"limit": 2}),
            )
        ]
        await socket.expect(lambda message: message.ref == refs[-1])
        answered = [message.ref for message in socket.seen if message.event == "phx_reply" and message.ref in refs]
        assert answered == refs
