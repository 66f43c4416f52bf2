"""The hub is killed while agents write: nothing acknowledged is lost, nothing is done or seen twice."""

from __future__ import annotations

import asyncio

import pytest
from ringforge import Agent

KILLS = 2
BETWEEN_KILLS = 40
"""Messages that must have come between two kills, so that each hits a hub in the midst of work."""


@pytest.fixture
async def hub_process(tmp_path):
    testkit = pytest.importorskip("ringforge_core.testkit.hub_process", reason="ringforge-core is not installed")
    pytest.importorskip("ringforge_eventbus_local", reason="ringforge-eventbus-local, a hub's default bus, is missing")
    settings = {"RINGFORGE__LIMITS__CHALLENGES_PER_AGENT": "off"}
    process = testkit.HubProcess(tmp_path / "hub", settings=settings)
    await process.start()
    yield process
    await process.stop()


@pytest.fixture
async def agents(hub_process, tmp_path):
    """Two agents with key pairs: they come back by a signature."""
    api_key = (await hub_process.bootstrap()).agent_key
    options = {"api_key": api_key, "key_directory": tmp_path / "keys", "timeout": 90, "connect_timeout": 30}
    async with (
        Agent(hub_process.websocket_url, name="ann", **options) as ann,
        Agent(hub_process.websocket_url, name="bob", **options) as bob,
    ):
        yield ann, bob


class Work:
    """What ann does over and over, and what bob has of it."""

    def __init__(self, ann, bob):
        self.ann, self.bob = ann, bob
        self.sent = self.written = 0
        self.got: list[int] = []
        self.versions: list[int] = []
        self.stop = asyncio.Event()

    async def send(self):
        while not self.stop.is_set():
            await self.ann.dm.send(self.bob.id, self.sent, ack=True)
            self.sent += 1

    async def write(self):
        while not self.stop.is_set():
            await self.ann.memory.set("counter", self.written)
            self.written += 1

    async def receive(self, inbox):
        async for message in inbox:
            self.got.append(message.content)
            await message.ack()

    async def follow(self, changes):
        async for change in changes:
            self.versions.append(change.version)


@pytest.mark.timeout(240)
async def test_messages_and_changes_survive_kills_once_and_in_order(hub_process, agents, until):
    ann, bob = agents
    work = Work(ann, bob)
    changes = await bob.memory.subscribe("counter")
    hearing = [asyncio.create_task(each) for each in (work.receive(aiter(bob.dm)), work.follow(changes))]
    doing = [asyncio.create_task(each) for each in (work.send(), work.write())]

    async def progress():
        messages, versions = len(work.got) + BETWEEN_KILLS, len(work.versions) + BETWEEN_KILLS
        await until(lambda: len(work.got) >= messages and len(work.versions) >= versions, 60)

    for _ in range(KILLS):
        await progress()
        await hub_process.restart()
    await progress()
    work.stop.set()
    await asyncio.gather(*doing)
    await until(lambda: len(work.got) >= work.sent and len(work.versions) >= work.written, 60)
    for task in hearing:
        task.cancel()

    assert work.got == list(range(work.sent))
    assert work.versions == list(range(1, work.written + 1))
    assert (await ann.memory.get("counter")).value == work.written - 1
    assert ann.keys.in_use
