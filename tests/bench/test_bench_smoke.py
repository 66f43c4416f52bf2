"""The benchmark counts right: what arrived everywhere passes, what was lost or doubled is told."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve

from bench.cores import available
from bench.lab import Effort, Lab
from bench.loadgen import CannotMeasure, Direct, Fanout, Request
from bench.scenarios.direct_messages import lost
from bench.scenarios.fanout import undelivered
from bench.servers import REFERENCE
from bench.servers.reference import PUSHES
from bench.servers.server import Push, Running, Verb

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    shutil.which("gcc") is None and shutil.which("cc") is None, reason="gcc is missing: apt-get install gcc libc6-dev"
)


@pytest.fixture
def lab() -> Lab:
    return Lab(available(), Effort(rounds=1, seconds=0.3, warmup=0.1, settle=0))


def test_every_publication_reaches_every_member(lab: Lab) -> None:
    with lab.start(REFERENCE) as running:
        result = lab.run(Fanout, running, running.pushes[Verb.PUBLISH], connections=20, publishers=4)
    assert result.published > 0
    assert result.delivered == result.published * 20
    assert result.acknowledged == result.published
    assert undelivered(result) == ()
    assert 0 < result.each_p50_ms <= result.last_p99_ms


def test_every_message_comes_to_the_senders_partner(lab: Lab) -> None:
    with lab.start(REFERENCE) as running:
        result = lab.run(Direct, running, running.pushes[Verb.DIRECT], connections=10, window=2, opening=1)
    assert result.delivered == result.acknowledged == result.published > 0
    assert lost(result) == ()
    assert 0 < result.each_p50_ms <= result.each_p99_ms


def test_messages_that_come_to_another_than_the_partner_are_a_fault(lab: Lab) -> None:
    with lab.start(REFERENCE) as running:
        broadcast = Push("bench:broadcast", running.pushes[Verb.DIRECT].payload)
        result = lab.run(Direct, running, broadcast, connections=4, warmup=0, opening=1)
    assert any("4 recipients incomplete" in fault for fault in lost(result))


def test_every_request_is_answered(lab: Lab) -> None:
    with lab.start(REFERENCE) as running:
        result = lab.run(Request, running, running.pushes[Verb.REQUEST], connections=3, window=2)
    assert result.replied == result.sent > 0
    assert result.reply_p50_ms > 0


class CheatingServer:
    """Sends its first member every second publication twice and the others not at all: the total comes out right."""

    def __init__(self) -> None:
        self.members: list[ServerConnection] = []
        self.published = 0

    async def serve_member(self, member: ServerConnection) -> None:
        async for text in member:
            join_ref, ref, topic, event, payload = json.loads(text)
            if event == "phx_join":
                self.members.append(member)
            else:
                self.published += 1
                await self.broadcast(json.dumps([None, None, topic, event, payload]))
            await member.send(
                json.dumps([join_ref, ref, topic, "phx_reply", {"status": "ok", "response": {}}], separators=(",", ":"))
            )

    async def broadcast(self, frame: str) -> None:
        cheated, *others = self.members
        for _ in range(2 * (self.published % 2)):
            await cheated.send(frame)
        for member in others:
            await member.send(frame)


async def test_a_member_that_got_one_publication_twice_and_missed_another_is_a_fault(lab: Lab) -> None:
    async with serve(CheatingServer().serve_member, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        running = Running(port=port, pid=os.getpid(), start_seconds=0, pushes=PUSHES)
        result = await asyncio.to_thread(lab.run, Fanout, running, PUSHES[Verb.PUBLISH], connections=5, warmup=0)
    assert result.published > 1
    assert any("1 members incomplete" in fault for fault in undelivered(result))


def test_a_server_that_delivers_nothing_cannot_be_measured(lab: Lab) -> None:
    with lab.start(REFERENCE) as running, pytest.raises(CannotMeasure, match="nothing was delivered"):
        lab.run(Fanout, running, Push("bench:silence", PUSHES[Verb.PUBLISH].payload), connections=2)


def test_the_command_prints_every_reading_as_json() -> None:
    command = [sys.executable, "-m", "bench", "requests", "--quick", "--seconds", "0.3", "--server", "reference", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603 — our own
    document = json.loads(done.stdout)
    assert document["readings"]["requests"]["reference"][0]["values"]["replies"] > 0
    assert "round 1 of 1" in done.stderr


def test_an_unknown_scenario_is_named() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "fan-out"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "no scenario fan-out" in done.stderr
