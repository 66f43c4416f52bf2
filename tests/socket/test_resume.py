"""Reconnecting: what was missed comes once and in order, or the gap is told (design, promise 3)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from ringforge_core.identity import now
from ringforge_core.testkit.hub import TestHub
from ringforge_core.testkit.phoenix_client import PhoenixClient


def client(hub: TestHub, name: str) -> PhoenixClient:
    return PhoenixClient(hub.websocket_url, api_key=hub.keys.agent_key, agent={"name": name})


def seqs(socket: PhoenixClient) -> list[int]:
    return [push["seq"] for push in socket.pushes("activity:broadcast")]


async def publish(speaker: PhoenixClient, count: int, **more: Any) -> None:
    for number in range(count):
        await speaker.ok("activity:broadcast", {"kind": "custom", "description": str(number), **more})


async def wait_for_seq(socket: PhoenixClient, seq: int) -> None:
    await socket.expect(lambda message: message.event == "activity:broadcast" and message.payload["seq"] == seq)


async def test_a_client_that_was_away_gets_what_it_missed_then_live(hub: TestHub) -> None:
    async with client(hub, "speaker") as speaker:
        await speaker.join()
        async with client(hub, "listener") as listener:
            epoch = (await listener.join())["epoch"]
            await publish(speaker, 3)
            await wait_for_seq(listener, 3)
        await publish(speaker, 4)
        async with client(hub, "listener") as listener:
            joined = await listener.join({"resume": {"epoch": epoch, "seq": 3}})
            assert joined["resume"] == {"status": "resumed", "from": 4, "to": 7, "missed": 0}
            await publish(speaker, 2)
            await wait_for_seq(listener, 9)
            assert seqs(listener) == [4, 5, 6, 7, 8, 9]


async def test_nothing_falls_between_the_log_and_the_live_stream(hub: TestHub) -> None:
    """Clients resume from far back while others publish as fast as they get replies."""
    async with client(hub, "speaker") as speaker, client(hub, "second") as second:
        epoch = (await speaker.join())["epoch"]
        await second.join()
        await asyncio.gather(publish(speaker, 400), publish(second, 400))
        stop = asyncio.Event()

        async def keep_talking(socket: PhoenixClient) -> None:
            while not stop.is_set():
                await publish(socket, 5)

        async with asyncio.TaskGroup() as tasks:
            for socket in (speaker, second):
                tasks.create_task(keep_talking(socket))
            for start in (0, 3, 350, 700):
                async with client(hub, f"late-{start}") as late:
                    joined = await late.join({"payload": {"resume": {"epoch": epoch, "seq": start}}})
                    await wait_for_seq(late, joined["resume"]["to"] + 40)
                    got = seqs(late)
                    assert got == list(range(start + 1, start + 1 + len(got)))
            stop.set()


async def test_a_trimmed_log_is_a_gap_with_its_numbers(hub: TestHub) -> None:
    async with client(hub, "speaker") as speaker:
        joined = await speaker.join()
        await publish(speaker, 300)
        await hub.hub.store.trim_events(
            hub.keys.tenant_id, hub.keys.fleet_id, "activity", before=now() + timedelta(seconds=1)
        )
        await publish(speaker, 300)
        async with client(hub, "listener") as listener:
            resumed = (await listener.join({"resume": {"epoch": joined["epoch"], "seq": 100}}))["resume"]
            assert resumed == {"status": "gap", "from": 101, "to": 300, "missed": 200}
            await wait_for_seq(listener, 600)
            assert seqs(listener) == list(range(301, 601))


async def test_another_epoch_is_a_gap_of_unknown_size(hub: TestHub) -> None:
    async with client(hub, "speaker") as speaker, client(hub, "listener") as listener:
        await speaker.join()
        await publish(speaker, 2)
        resumed = (await listener.join({"resume": {"epoch": "AAAAAAAA", "seq": 900}}))["resume"]
        assert (resumed["status"], resumed["missed"]) == ("gap", None)
        await publish(speaker, 1)
        await wait_for_seq(listener, 3)
        assert seqs(listener) == [3]


async def test_a_malformed_resume_is_refused(hub: TestHub) -> None:
    async with client(hub, "listener") as listener:
        for resume in (7, "x", {"epoch": 1, "seq": 1}, {"epoch": "a"}, {"epoch": "a", "seq": "1"}):
            assert (await listener.refused("phx_join", {"resume": resume}))["field"] == "resume"
        await listener.join()


async def test_direct_events_are_resumed_by_their_recipient_alone(hub: TestHub) -> None:
    async with client(hub, "speaker") as speaker:
        epoch = (await speaker.join())["epoch"]
        async with client(hub, "one") as one, client(hub, "two") as two:
            target = (await one.join())["agent_id"]
            await two.join()
        await publish(speaker, 2, scope="direct", to=target)
        await publish(speaker, 1)
        async with client(hub, "one") as one, client(hub, "two") as two:
            for socket in (one, two):
                await socket.join({"resume": {"epoch": epoch, "seq": 0}})
                await wait_for_seq(socket, 3)
            assert (seqs(one), seqs(two)) == ([1, 2, 3], [3])


async def test_followed_tags_survive_a_reconnect(hub: TestHub) -> None:
    async with client(hub, "speaker") as speaker:
        epoch = (await speaker.join())["epoch"]
        async with client(hub, "follower") as follower:
            await follower.join()
            assert (await follower.ok("activity:subscribe", {"tags": ["build"]}))["subscribed_tags"] == ["build"]
        await publish(speaker, 1, scope="tagged", tags=["build"])
        await publish(speaker, 1, scope="tagged", tags=["deploy"])
        async with client(hub, "follower") as follower, client(hub, "stranger") as stranger:
            for socket in (follower, stranger):
                await socket.join({"resume": {"epoch": epoch, "seq": 0}})
            await publish(speaker, 1, scope="tagged", tags=["deploy", "build"])
            await publish(speaker, 1)
            for socket in (follower, stranger):
                await wait_for_seq(socket, 4)
            assert (seqs(follower), seqs(stranger)) == ([1, 3, 4], [4])
