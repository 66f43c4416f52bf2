"""What must be true after a mixed load, whatever the hubs went through meanwhile."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mixed_load import Worker
from ringforge import Agent, Gap, Position

SETTLE_SECONDS = 120


class Witness:
    """An agent that follows all that the fleet is told."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.positions: list[Position] = []
        self.versions: dict[str, list[int]] = {}
        self.gaps: list[Gap] = []

    async def watch(self) -> None:
        async for push in self.agent.events():
            if isinstance(push, Gap):
                self.gaps.append(push)
            elif push.position is not None:
                self.positions.append(push.position)
                if push.name == "memory:changed":
                    self.versions.setdefault(push.payload["key"], []).append(push.payload["version"])


@asynccontextmanager
async def running(*work: Any) -> AsyncIterator[list[asyncio.Task[None]]]:
    """These coroutines as tasks, until the block is left; a failure of one is the test's."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome


async def until(condition: Any, tasks: list[asyncio.Task[None]]) -> None:
    async with asyncio.timeout(SETTLE_SECONDS):
        while not condition():
            for task in tasks:
                if task.done():
                    task.result()
            await asyncio.sleep(0.01)


async def settled(workers: list[Worker], witness: Witness, tasks: list[asyncio.Task[None]]) -> None:
    """Everything has come that was on its way."""
    messages = Counter(recipient for worker in workers for recipient, ids in worker.sent.items() for _ in ids)
    posts = Counter(worker.common for worker in workers for _ in worker.posted)
    await until(lambda: all(len(worker.got) >= messages[worker.agent.id] for worker in workers), tasks)
    await until(lambda: all(len(worker.heard) >= posts[worker.common] for worker in workers), tasks)
    last = (await witness.agent.memory.set("settled", True)).version
    await until(lambda: witness.versions.get("settled") == [last], tasks)


async def memory_is_as_acknowledged(witness: Witness, workers: list[Worker]) -> None:
    agent = witness.agent
    assert (await agent.memory.get("counter")).value == sum(worker.increments for worker in workers) > 0
    found: dict[str, Any] = {}
    for worker in workers:
        own = await agent.memory.list(author=worker.agent.id, tags=["own"], limit=500)
        found |= {entry.key: entry.value for entry in own.entries}
    assert found == {key: value for worker in workers for key, value in worker.memory.items()}
    assert witness.gaps == []
    assert len({position.epoch for position in witness.positions}) == 1
    seqs = [position.seq for position in witness.positions]
    assert seqs == sorted(set(seqs)), "each once, in the order of the log"
    for key, versions in witness.versions.items():
        assert versions == list(range(1, len(versions) + 1)), f"{key}: every change was told, and no other"


async def replay_has_what_was_told(witness: Witness, workers: list[Worker]) -> None:
    """Once each, in the order of the log."""
    told = [event.event_id async for event in witness.agent.replay.all(kinds=["task_progress"])]
    assert sorted(told) == sorted(event_id for worker in workers for event_id in worker.told)
    for worker in workers:
        own = set(worker.told)
        assert [event_id for event_id in told if event_id in own] == worker.told


async def messages_came_once_and_in_order(workers: list[Worker]) -> None:
    for worker in workers:
        for recipient, ids in worker.sent.items():
            partner = next(each for each in workers if each.agent.id == recipient)
            got = [message_id for sender, message_id in partner.got if sender == worker.agent.id]
            assert got == ids, differences(got, ids)
            history = [message.message_id async for message in worker.agent.dm.history(recipient, page=500)]
            assert [message_id for message_id in reversed(history) if message_id in set(ids)] == ids
        for reader in (each for each in workers if each.common == worker.common):
            heard = [message_id for sender, message_id in reader.heard if sender == worker.agent.id]
            assert heard == worker.posted, differences(heard, worker.posted)


def differences(got: list[str], expected: list[str]) -> str:
    """What is wrong with what came, in words."""
    doubled = [message_id for message_id, times in Counter(got).items() if times > 1]
    places = [place for place, (one, other) in enumerate(zip(got, expected, strict=False)) if one != other]
    missing, strange = sorted(set(expected) - set(got)), sorted(set(got) - set(expected))
    return f"doubled {doubled}, missing {missing}, never sent {strange}, out of place {places} of {len(expected)}"


async def members_are_as_acknowledged(agent: Agent, workers: list[Worker], shared: str) -> None:
    for worker in workers:
        assert {group.group_id for group in await worker.agent.groups.mine()} == {worker.common, *worker.is_in}
    members = [member.agent_id for member in await agent.groups.members(shared)]
    assert sorted(members) == sorted([agent.id, *(worker.agent.id for worker in workers if shared in worker.is_in)])
    for common, size in Counter(worker.common for worker in workers).items():
        assert len(await agent.groups.members(common)) == size
