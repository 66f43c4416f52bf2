"""Direct messages as agents see them; the numbers of tests are those of the defects that they keep out."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from direct_fleet import disconnect, eventually, gets_receipt, receipts, received, receives, send, waiting
from mesh_fleet import Fleet

from ringforge_core.identity import new_uuid, now
from ringforge_core.identity.tables import agents, api_keys, fleets
from ringforge_core.ports.store import Transaction
from ringforge_core.store import SqlStore
from ringforge_core.testkit.phoenix_client import PhoenixClient

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def total_messages(store: SqlStore, agent_id: str) -> int:
    query = sa.select(agents.c.total_messages).where(agents.c.agent_id == agent_id)
    return await store.read(lambda connection: connection.execute(query).scalar_one())


async def test_a_message_reaches_its_recipient_and_nobody_else(fleet: Fleet) -> None:
    sender, sender_id = await fleet.join("sender")
    target, target_id = await fleet.join("target")
    bystander, _ = await fleet.join("bystander")
    reply = await send(sender, target_id, {"type": "text", "n": [1, None]}, correlation_id="c-1")
    assert reply == {"message_id": reply["message_id"], "to": target_id, "status": "delivered"}
    push = await target.expect_push("direct:message")
    assert (push["type"], push["event"]) == ("direct", "message")
    assert push["payload"].pop("timestamp").endswith("Z")
    assert push["payload"] == {
        "message_id": reply["message_id"],
        "from": {"agent_id": sender_id, "name": "sender"},
        "correlation_id": "c-1",
        "message": {"type": "text", "n": [1, None]},
    }
    await send(bystander, target_id, "after")
    await receives(target, "after")
    assert received(bystander) == received(sender) == []


@pytest.mark.parametrize("message", ["text", 0, 1.5, False, [], [[1], {}], {}, {"deep": {"er": None}}, "ümläut 🚀 \u0000"])
async def test_a_message_is_any_json(fleet: Fleet, message: Any) -> None:
    sender, _ = await fleet.join("sender")
    target, target_id = await fleet.join("target")
    await send(sender, target_id, message)
    await receives(target, message)
    history = await target.ok("direct:history", {"with": (await sender.expect_push("message:receipt"))["payload"]["to"]})
    assert history["payload"]["messages"] == []
    page = (await sender.ok("direct:history", {"with": target_id}))["payload"]
    assert [envelope["message"] for envelope in page["messages"]] == [message]


async def test_a_message_left_out_is_an_empty_one(fleet: Fleet) -> None:
    sender, _ = await fleet.join("sender")
    target, target_id = await fleet.join("target")
    await sender.ok("direct:send", {"to": target_id})
    await receives(target, {})


async def test_d52_bad_messages_are_refused_and_the_channel_lives(fleet: Fleet) -> None:
    sender, sender_id = await fleet.join("sender")
    target, target_id = await fleet.join("target")
    for fields, reason, field in (
        ({}, "missing_recipient", "to"),
        ({"to": None}, "missing_recipient", "to"),
        ({"to": 5}, "invalid_payload", "to"),
        ({"to": ""}, "invalid_payload", "to"),
        ({"to": "nul\x00"}, "invalid_payload", "to"),
        ({"to": sender_id}, "self_message", "to"),
        ({"to": target_id, "correlation_id": 5}, "invalid_payload", "correlation_id"),
        ({"to": target_id, "correlation_id": "c" * 201}, "invalid_payload", "correlation_id"),
        ({"to": target_id, "ack": "yes"}, "invalid_payload", "ack"),
        ({"to": target_id, "message": "x" * 100_000}, "payload_too_large", "message"),
    ):
        error = await sender.refused("direct:send", fields)
        assert (error["reason"], error["field"]) == (reason, field), fields
    deep: Any = 1
    for _ in range(32):
        deep = [deep]
    assert (await sender.refused("direct:send", {"to": target_id, "message": deep}))["reason"] == "invalid_payload"
    assert (await sender.ok("direct:history", {"with": target_id}))["payload"]["messages"] == []
    await send(sender, target_id, "x" * 99_998)
    await receives(target, "x" * 99_998)


async def test_d69_a_sender_gets_one_receipt_however_many_connections_got_the_message(fleet: Fleet) -> None:
    sender, _ = await fleet.join("sender")
    first, target_id = await fleet.join("target")
    second, _ = await fleet.join("target")
    reply = await send(sender, target_id, "to both")
    assert reply["status"] == "delivered"
    receipt = await gets_receipt(sender, reply["message_id"])
    assert receipt.pop("timestamp").endswith("Z")
    assert receipt == {"message_id": reply["message_id"], "to": target_id, "status": "delivered"}
    for client in (first, second):
        await receives(client, "to both")
    later = await send(sender, target_id, "later")
    await gets_receipt(sender, later["message_id"])
    assert receipts(sender) == [(reply["message_id"], "delivered"), (later["message_id"], "delivered")]
    assert receipts(first) == receipts(second) == []


async def test_d56_a_lobby_joiner_gets_a_message_once_on_each_channel_and_never_again(fleet: Fleet) -> None:
    sender, _ = await fleet.join("sender")
    target, target_id = await fleet.join("target")
    await target.join(topic=f"fleet:{fleet.keys.fleet_id}", join_ref="2")
    await target.expect(lambda m: m.event == "presence:roster" and m.join_ref == "2")
    reply = await send(sender, target_id, "hello")
    await gets_receipt(sender, reply["message_id"])
    await send(sender, target_id, "end")
    await target.expect(lambda m: m.event == "direct:message" and m.join_ref == "1" and "end" in str(m.payload))
    await target.expect(lambda m: m.event == "direct:message" and m.join_ref == "2" and "end" in str(m.payload))
    topics = [m.topic for m in target.seen if m.event == "direct:message" and m.payload["payload"]["message"] == "hello"]
    assert sorted(topics) == sorted(["fleet:lobby", f"fleet:{fleet.keys.fleet_id}"])
    await disconnect(target)
    again, _ = await fleet.join("target")
    await send(sender, target_id, "new")
    await receives(again, "new")
    assert received(again) == ["new"]


async def test_d57_only_accepted_messages_count_and_each_once(fleet: Fleet, store: SqlStore) -> None:
    sender, sender_id = await fleet.join("sender")
    _, target_id = await fleet.join("target")
    await send(sender, target_id)
    await send(sender, "dashboard")
    await send(sender, "ag_nobody")
    await sender.refused("direct:send", {"to": sender_id})
    await sender.refused("direct:send", {"to": target_id, "message": "x" * 100_001})
    request = {"to": target_id, "_idempotency_key": "k"}
    await sender.ok("direct:send", request)
    await sender.ok("direct:send", request)
    assert await total_messages(store, sender_id) == 3
    usage = await store.read(
        lambda connection: (
            connection.execute(
                sa.text("SELECT used FROM quota_counters WHERE tenant_id = :t AND resource = 'messages_today'"),
                {"t": fleet.keys.tenant_id},
            )
            .scalars()
            .all()
        )
    )
    assert usage in ([], [3]), "no counter at all, or the right one"


async def test_unknown_and_foreign_recipients_fail_alike(fleet: Fleet, other_fleet: Fleet, store: SqlStore) -> None:
    sender, sender_id = await fleet.join("sender")
    stranger, stranger_id = await other_fleet.join("stranger")
    sibling, sibling_id = await join_sibling_fleet(fleet, store, "sibling")
    before = await waiting(store)
    for to in ("ag_nobody", stranger_id, sibling_id):
        reply = await send(sender, to, "secret")
        assert reply == {"message_id": None, "to": to, "status": "failed", "reason": "not_found"}
    assert await waiting(store) == before
    for client in (stranger, sibling):
        assert (await client.ok("direct:history", {"with": sender_id}))["payload"]["messages"] == []
        assert (await client.ok("message:queued"))["payload"]["total"] == 0
        assert received(client) == []


async def test_d18_a_read_receipt_goes_to_the_sender_alone_and_only_the_recipient_can_cause_it(
    fleet: Fleet, other_fleet: Fleet, store: SqlStore
) -> None:
    sender, _ = await fleet.join("sender")
    target, target_id = await fleet.join("target")
    bystander, _ = await fleet.join("bystander")
    stranger, _ = await other_fleet.join("stranger")
    sibling, _ = await join_sibling_fleet(fleet, store, "sibling")
    message_id = (await send(sender, target_id, "read me"))["message_id"]
    for nosy in (bystander, sender, stranger, sibling):
        assert (await nosy.refused("message:read", {"message_id": message_id}))["reason"] == "not_found"
        assert (await nosy.refused("message:ack", {"message_id": message_id}))["reason"] == "not_found"
    await gets_receipt(sender, (await send(sender, target_id, "after"))["message_id"])
    assert sender.pushes("message:read") == []
    for _ in range(2):
        assert await target.ok("message:read", {"message_id": message_id}) == {"status": "ack"}
    push = await sender.expect_push("message:read")
    assert push["payload"].pop("timestamp").endswith("Z")
    assert push["payload"] == {"message_id": message_id, "read_by": target_id}
    other = (await send(sender, target_id, "and me"))["message_id"]
    await target.ok("message:read", {"message_id": other})
    await sender.expect(lambda m: m.event == "message:read" and m.payload["payload"]["message_id"] == other)
    assert len(sender.pushes("message:read")) == 2, "reading twice tells once"
    assert [client.pushes("message:read") for client in (target, bystander, stranger, sibling)] == [[], [], [], []]
    assert (await target.refused("message:read"))["reason"] == "missing_message_id"


async def test_a_read_receipt_waits_for_a_sender_that_is_away(fleet: Fleet) -> None:
    sender, _ = await fleet.join("sender")
    target, target_id = await fleet.join("target")
    message_id = (await send(sender, target_id, "read me"))["message_id"]
    await gets_receipt(sender, message_id)
    last = sender.pushes("message:receipt")[-1]
    await disconnect(sender)
    await target.ok("message:read", {"message_id": message_id})
    again = await fleet.connect("sender")
    await again.join({"payload": {}, "resume": {"epoch": last["epoch"], "seq": last["seq"]}})
    assert (await again.expect_push("message:read"))["payload"]["message_id"] == message_id
    assert receipts(again) == received(again) == []


async def test_typing_shows_to_the_target_alone_and_is_not_answered(fleet: Fleet, other_fleet: Fleet) -> None:
    writer, writer_id = await fleet.join("writer")
    target, target_id = await fleet.join("target")
    bystander, _ = await fleet.join("bystander")
    stranger, stranger_id = await other_fleet.join("stranger")
    for to in (stranger_id, target_id):
        await writer.send("fleet:lobby", "message:typing", {"payload": {"to": to}}, ref="typing")
    push = await target.expect_push("message:typing")
    assert push["payload"].pop("timestamp").endswith("Z")
    assert push["payload"] == {"agent_id": writer_id, "name": "writer"}
    assert (await writer.refused("message:typing"))["reason"] == "missing_to"
    assert [m for m in writer.seen if m.ref == "typing"] == []
    await send(bystander, target_id, "end")
    await stranger.ok("presence:roster")
    assert bystander.pushes("message:typing") == stranger.pushes("message:typing") == []


async def test_a_request_is_answered_under_its_correlation_id(fleet: Fleet) -> None:
    asker, asker_id = await fleet.join("asker")
    answerer, answerer_id = await fleet.join("answerer")
    await send(asker, answerer_id, {"type": "query"}, correlation_id="q-7")
    question = await answerer.expect_push("direct:message")
    await send(
        answerer, question["payload"]["from"]["agent_id"], {"type": "query_response", "ref": "q-7"},
        correlation_id=question["payload"]["correlation_id"],
    )  # fmt: skip
    answer = (await asker.expect_push("direct:message"))["payload"]
    assert (answer["correlation_id"], answer["from"]["agent_id"]) == ("q-7", answerer_id)
    assert question["payload"]["from"]["agent_id"] == asker_id


async def test_d68_the_dashboard_is_always_there_and_no_queue_grows_for_it(fleet: Fleet, store: SqlStore) -> None:
    agent, agent_id = await fleet.join("agent")
    before = await waiting(store)
    reply = await send(agent, "dashboard", {"type": "status_response"}, ack=True)
    assert reply == {"message_id": reply["message_id"], "to": "dashboard", "status": "queued"}
    assert await waiting(store) == before
    page = (await agent.ok("direct:history", {"with": "dashboard"}))["payload"]
    assert [(m["to"], m["from"]["agent_id"]) for m in page["messages"]] == [("dashboard", agent_id)]


async def test_d72_the_same_key_sends_once_and_answers_the_same(fleet: Fleet) -> None:
    sender, _ = await fleet.join("sender")
    target, target_id = await fleet.join("target")
    _, absent_id = await fleet.join("absent")
    request = {"to": target_id, "message": "once", "_idempotency_key": "k-1"}
    first = await sender.ok("direct:send", request)
    assert first["payload"]["status"] == "delivered"
    assert await sender.ok("direct:send", request) == first
    conflict = await sender.refused("direct:send", {**request, "message": "twice"})
    assert conflict["reason"] == "idempotency_conflict"
    await fleet.hub.restart()
    sender, _ = await fleet.join("sender")
    target, _ = await fleet.join("target")
    assert await sender.ok("direct:send", request) == first
    away = {"to": absent_id, "message": "later", "_idempotency_key": "k-2"}
    queued = await sender.ok("direct:send", away)
    assert queued["payload"]["status"] == "queued"
    absent, _ = await fleet.join("absent")
    await receives(absent, "later")
    assert await sender.ok("direct:send", away) == queued, "the first answer, although it was delivered since"
    await send(sender, target_id, "end")
    await receives(target, "end")
    assert received(target) == ["end"]
    assert received(absent) == ["later"]


async def test_d72_racing_copies_get_the_same_answer(fleet: Fleet) -> None:
    target, target_id = await fleet.join("target")
    senders = [(await fleet.join("sender"))[0] for _ in range(4)]
    request = {"to": target_id, "message": "once", "_idempotency_key": "race"}
    refs = [(sender, await sender.send("fleet:lobby", "direct:send", request)) for sender in senders for _ in range(10)]
    replies = [await sender.expect(lambda m, ref=ref: m.event == "phx_reply" and m.ref == ref) for sender, ref in refs]
    answers = [reply.response["payload"] for reply in replies]
    assert answers == [answers[0]] * 40
    assert answers[0]["status"] == "delivered"
    await send(senders[0], target_id, "end")
    await receives(target, "end")
    assert received(target) == ["once", "end"]


async def test_a_failed_message_can_be_tried_again_under_its_key(fleet: Fleet) -> None:
    sender, _ = await fleet.join("sender")
    reply = await sender.ok("direct:send", {"to": "ag_nobody", "_idempotency_key": "k"})
    assert reply["payload"]["status"] == "failed"
    other = await sender.ok("direct:send", {"to": "dashboard", "_idempotency_key": "k"})
    assert other["payload"]["status"] == "queued", "the key was not used up by the failure"


async def test_a_message_leaves_nothing_behind(fleet: Fleet, store: SqlStore) -> None:
    sender, _ = await fleet.join("sender")
    _, target_id = await fleet.join("target")
    before = await waiting(store)
    for number in range(20):
        await send(sender, target_id, number)

    async def is_empty() -> bool:
        return await waiting(store) == before

    await eventually(is_empty)


def insert(tx: Transaction, statements: list[sa.Insert]) -> list[None]:
    for statement in statements:
        tx.execute(statement)
    return [None] * len(statements)


async def join_sibling_fleet(fleet: Fleet, store: SqlStore, name: str) -> tuple[PhoenixClient, str]:
    """An agent in another fleet of the same tenant."""
    from ringforge_core.identity import key_digest, key_prefix, new_api_key

    fleet_id, key, at = new_uuid(), new_api_key("live"), now()
    row = {"id": fleet_id, "tenant_id": fleet.keys.tenant_id, "name": fleet_id, "inserted_at": at, "updated_at": at}
    await store.apply(insert, fleets.insert().values(row))
    await store.apply(
        insert,
        api_keys.insert().values(
            id=new_uuid(), tenant_id=fleet.keys.tenant_id, fleet_id=fleet_id, kind="live", key_hash=key_digest(key),
            key_prefix=key_prefix(key), inserted_at=at,
        ),
    )  # fmt: skip
    client = await fleet._stack.enter_async_context(
        PhoenixClient(fleet.hub.websocket_url, api_key=key, agent={"name": name})
    )
    reply = await client.join()
    await client.expect_push("presence:roster")
    return client, reply["agent_id"]
