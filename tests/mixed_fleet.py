"""A fleet under mixed load: workers in squads, a witness that follows it all, and what must be true afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from mixed_load import Worker
from mixed_load_checks import (
    Witness,
    members_are_as_acknowledged,
    memory_is_as_acknowledged,
    messages_came_once_and_in_order,
    replay_has_what_was_told,
    running,
    settled,
    until,
)
from ringforge import Agent

SQUAD = 25
"""Workers that write to one group: what one posts goes to all of them."""

Connect = Callable[[str], Awaitable[Agent]]


class MixedFleet:
    def __init__(self, witness: Witness, workers: list[Worker], shared: str) -> None:
        self.witness = witness
        self.workers = workers
        self.shared = shared
        self.reading: list[asyncio.Task[None]] = []
        self.working: list[asyncio.Task[None]] = []
        self._enough = asyncio.Event()

    @property
    def names(self) -> set[str]:
        return {"witness", *(worker.name for worker in self.workers)}

    @property
    def deeds(self) -> int:
        """The changes that were acknowledged so far."""
        return sum(len(worker.deeds) for worker in self.workers)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let them work; a failure of one is the test's."""
        await until(condition, [*self.working, *self.reading])

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """They read their messages until this fleet ends, and work until `finish`."""
        partners = [*self.workers[1:], self.workers[0]]
        work = (
            worker.work(self._enough, partner=partner.agent.id, shared=self.shared)
            for worker, partner in zip(self.workers, partners, strict=True)
        )
        read = (each for worker in self.workers for each in (worker.read_messages(), worker.read_posts()))
        async with running(self.witness.watch(), *read) as self.reading:
            await self.witness.agent.memory.set("counter", 0)  # the first thing that the witness sees
            async with running(*work) as self.working:
                yield

    async def finish(self) -> None:
        """Each ends the round that it is in."""
        self._enough.set()
        await asyncio.gather(*self.working)
        self.working = []

    async def check(self) -> None:
        """Everything acknowledged is there, and came once, in order."""
        witness, workers = self.witness, self.workers
        await settled(workers, witness, self.reading)
        await memory_is_as_acknowledged(witness, workers)
        await messages_came_once_and_in_order(workers)
        await replay_has_what_was_told(witness, workers)
        await members_are_as_acknowledged(witness.agent, workers, self.shared)


async def assemble(connect: Connect, size: int) -> MixedFleet:
    """`size` workers, in squads with a group each; the witness owns a group that they go in and out of."""
    witness = Witness(await connect("witness"))
    await witness.agent.memory.subscribe("*")
    shared = await witness.agent.groups.create("shared")
    names = [f"worker-{number}" for number in range(size)]
    agents = await asyncio.gather(*map(connect, names))
    workers = []
    for start in range(0, size, SQUAD):
        squad = agents[start : start + SQUAD]
        group = await squad[0].groups.create(f"squad-{start // SQUAD}", invite=[agent.id for agent in squad[1:]])
        workers += [Worker(agent, name, group.group_id) for agent, name in zip(squad, names[start:], strict=False)]
    return MixedFleet(witness, workers, shared.group_id)
