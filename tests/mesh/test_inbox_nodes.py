"""The inbox of several nodes on one database: whoever claims a message pushes it, and nobody else does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from direct_fleet import direct_fleet, disconnect, eventually, gets_receipt, received, receives, send
from mesh_fleet import Fleet
from sqlalchemy.ext.asyncio import create_async_engine

from ringforge_core.mesh.inbox import courier
from ringforge_core.mesh.inbox.claim import Claim, claim
from ringforge_core.mesh.inbox.tables import letters
from ringforge_core.nodes.tables import nodes as registered
from ringforge_core.plugin import now
from ringforge_core.ports.store import Store, Transaction
from ringforge_core.testkit.postgres import PostgresServer


@pytest.fixture
async def nodes(tmp_path: Path, postgres: PostgresServer) -> AsyncIterator[tuple[Fleet, Fleet]]:
    """The same fleet on two nodes."""
    url = await postgres.new_database()
    async with AsyncExitStack() as stack:
        one, two = [
            await stack.enter_async_context(direct_fleet(tmp_path / node, store__url=url, hub__node=node))
            for node in ("node-1", "node-2")
        ]
        two.keys = one.keys
        yield one, two


async def test_an_agent_that_joins_two_nodes_at_once_gets_each_message_from_one_of_them(
    nodes: tuple[Fleet, Fleet],
) -> None:
    one, two = nodes
    sender, _ = await one.join("sender")
    target, target_id = await one.join("target")
    await disconnect(target)
    for number in range(200):
        await send(sender, target_id, number)
    (first, _), (second, _) = await asyncio.gather(one.join("target"), two.join("target"))
    last = (await send(sender, target_id, "last"))["message_id"]
    await gets_receipt(sender, last)
    numbers = [[n for n in received(client) if n != "last"] for client in (first, second)]
    assert sorted(numbers[0] + numbers[1]) == list(range(200))
    assert numbers == [sorted(each) for each in numbers]


async def test_a_message_finds_its_recipient_on_another_node(nodes: tuple[Fleet, Fleet]) -> None:
    one, two = nodes
    sender, sender_id = await one.join("sender")
    target, target_id = await two.join("target")
    for number in range(10):
        reply = await send(sender, target_id, number)
        assert reply["status"] == "queued", "this node cannot know"
    assert (await gets_receipt(sender, reply["message_id"]))["status"] == "delivered"
    assert received(target) == list(range(10))
    assert (await target.ok("message:read", {"message_id": reply["message_id"]})) == {"status": "ack"}
    assert (await sender.expect_push("message:read"))["payload"]["read_by"] == target_id
    await send(target, sender_id, "back")
    await receives(sender, "back")


async def test_what_an_agent_did_not_acknowledge_follows_it_to_another_node(nodes: tuple[Fleet, Fleet]) -> None:
    one, two = nodes
    sender, _ = await one.join("sender")
    target, target_id = await one.join("target")
    reply = await send(sender, target_id, "mine", ack=True)
    await receives(target, "mine")
    await disconnect(target)
    again, _ = await two.join("target")
    push = await receives(again, "mine")
    assert (push["message_id"], push["attempt"]) == (reply["message_id"], 2)
    await again.ok("message:ack", {"message_id": reply["message_id"]})
    assert (await gets_receipt(sender, reply["message_id"]))["status"] == "delivered"


async def test_who_waits_for_another_node_is_told_when_that_gives_back(
    nodes: tuple[Fleet, Fleet], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "TURN_SECONDS", 3600.0)
    one, two = nodes
    sender, _ = await one.join("sender")
    target, target_id = await one.join("target")
    await send(sender, target_id, "first", ack=True)
    await receives(target, "first")
    again, _ = await two.join("target")
    await send(sender, target_id, "second")
    await receives(target, "second")
    assert received(again) == []
    await disconnect(target)
    await receives(again, "first")


async def test_who_waits_for_what_was_written_as_they_left_is_told_when_it_is_settled(
    nodes: tuple[Fleet, Fleet], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database is slow to take the first message out: somebody holds its letter."""
    monkeypatch.setattr(courier, "TURN_SECONDS", 3600.0)
    one, two = nodes
    sender, _ = await two.join("sender")
    target, target_id = await one.join("target")
    await disconnect(target)
    await send(sender, target_id, "first")
    engine = create_async_engine(sa.make_url(one.hub.hub.config.store.url).set(drivername="postgresql+asyncpg"))
    async with engine.begin() as holder:
        await holder.execute(sa.select(letters).with_for_update())
        target, _ = await one.join("target")
        await receives(target, "first")
        await disconnect(target)
        await eventually(lambda: not one.hub.hub.gateway.connections)
        target, _ = await two.join("target")
        await send(sender, target_id, "second")
        assert received(target) == []
    await receives(target, "second")
    assert received(target) == ["second"]
    await engine.dispose()


async def test_who_waits_for_a_node_that_died_is_told_by_the_one_that_saw_it(
    nodes: tuple[Fleet, Fleet], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "TURN_SECONDS", 3600.0)
    one, two = nodes
    store, registry = one.hub.hub.store, one.hub.hub.nodes
    sender, _ = await one.join("sender")
    target, target_id = await two.join("target")
    await disconnect(target)
    await send(sender, target_id, "first")
    assert await claimed_by(store, "node-9/gone", one, target_id, seconds=3600) == 1
    target, _ = await two.join("target")
    await store.apply(run, registered.insert().values(row_of("node-9")))
    await registry.beat()
    await store.apply(run, registered.delete().where(registered.c.name == "node-9"))
    await registry.beat()
    await receives(target, "first")


def row_of(node: str) -> dict[str, object]:
    return {
        "name": node, "instance": node, "beat": 1, "version": "1", "started_at": now(), "seen_at": now(),
        "url": "", "connections": 0, "draining": False,
    }  # fmt: skip


def run(tx: Transaction, statements: Sequence[sa.Executable]) -> list[None]:
    for statement in statements:
        tx.execute(statement)
    return [None] * len(statements)


async def claimed_by(store: Store, claimer: str, fleet: Fleet, agent_id: str, *, seconds: float) -> int:
    """Another process claims what waits for the agent, and dies before it pushes any of it."""
    address = (fleet.keys.tenant_id, fleet.keys.fleet_id, agent_id)
    page = await store.apply(claim, Claim(address, claimer, timedelta(seconds=seconds), frozenset()))
    return len(page.letters)


async def test_the_claim_of_a_node_that_died_lapses(tmp_path: Path) -> None:
    async with direct_fleet(tmp_path, capabilities__inbox__sweep_seconds=0.05) as fleet:
        sender, _ = await fleet.join("sender")
        target, target_id = await fleet.join("target")
        await disconnect(target)
        await send(sender, target_id, "first")
        assert await claimed_by(fleet.hub.hub.store, "node-9/gone", fleet, target_id, seconds=0.8) == 1
        target, _ = await fleet.join("target")
        assert (await send(sender, target_id, "second"))["status"] == "queued"
        assert received(target) == [], "the other node may be pushing the first one, which comes before"
        assert (await receives(target, "first"))["attempt"] == 2
        await send(sender, target_id, "end")
        await receives(target, "end")
        assert received(target) == ["first", "second", "end"]


async def test_an_agent_that_stays_at_another_node_is_served_here_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "IN_TURN_SECONDS", 0.0)
    async with direct_fleet(tmp_path) as fleet:
        sender, _ = await fleet.join("sender")
        target, target_id = await fleet.join("target")
        await disconnect(target)
        await send(sender, target_id, "theirs")
        assert await claimed_by(fleet.hub.hub.store, "node-9/lives", fleet, target_id, seconds=3600) == 1
        target, _ = await fleet.join("target")
        assert (await send(sender, target_id, "ours"))["status"] == "delivered"
        assert received(target) == ["ours"]


async def test_a_node_that_starts_again_takes_up_what_it_had_claimed(tmp_path: Path) -> None:
    async with direct_fleet(tmp_path) as fleet:
        sender, _ = await fleet.join("sender")
        target, target_id = await fleet.join("target")
        await disconnect(target)
        for number in range(3):
            await send(sender, target_id, number)
        assert await claimed_by(fleet.hub.hub.store, "node-1/before", fleet, target_id, seconds=3600) == 3
        keys = fleet.keys
    async with direct_fleet(tmp_path) as fleet:
        fleet.keys = keys
        target, _ = await fleet.join("target")
        push = await receives(target, 2)
        assert received(target) == [0, 1, 2]
        assert push["attempt"] == 2
