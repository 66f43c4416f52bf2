"""An agent that does a little of everything, as fast as it is answered, and knows what must be true afterwards.

Each change goes out under an idempotency key of its own, and every answer is kept: the SDK repeats a change that it had no
answer to, and `repeat` asks for one again that was answered long ago.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import Any, NamedTuple

from ringforge import Agent, RingforgeError, VersionConflict

OWN_KEYS = 5
BUSY = ("unavailable", "backpressure")
"""What a hub says that could not answer now: the worker asks again, under the same key."""
ASK_AGAIN_SECONDS = 0.5


class Deed(NamedTuple):
    """A change that the hub has acknowledged."""

    event: str
    payload: dict[str, Any]
    key: str
    reply: Any


class Worker:
    def __init__(self, agent: Agent, name: str, common: str) -> None:
        self.agent = agent
        self.name = name
        self.common = common
        """The group that it writes to."""
        self.deeds: list[Deed] = []
        self.memory: dict[str, Any] = {}
        """What stands under the keys that only this agent writes."""
        self.increments = 0
        """How often it raised the fleet's counter."""
        self.is_in: set[str] = set()
        """The groups, but for the common one."""
        self.sent: dict[str, list[str]] = {}
        """The ids of its direct messages, by recipient."""
        self.posted: list[str] = []
        """The ids of its messages to the common group."""
        self.told: list[str] = []
        """The ids of what it told the fleet."""
        self.got: list[tuple[str, str]] = []
        """The direct messages that came: sender and id."""
        self.heard: list[tuple[str, str]] = []
        """The messages of the common group that came: sender and id."""
        self._rounds = 0

    async def work(self, stop: asyncio.Event, *, partner: str, shared: str) -> None:
        """Go on until `stop`; whatever the hub goes through meanwhile, each round is done."""
        while not stop.is_set():
            self._rounds += 1
            await self._remember()
            await self._count()
            await self._write(partner)
            await self._move(shared)
            await self._post()
            await self._tell()

    async def read_messages(self) -> None:
        async for message in self.agent.dm:
            self.got.append((message.sender.agent_id, message.message_id))
            await message.ack()

    async def read_posts(self) -> None:
        async for message in self.agent.groups.stream(self.common):
            self.heard.append((message.sender.agent_id, message.message_id))

    async def repeat(self, deeds: list[Deed]) -> None:
        """Two copies at once of each: both get the reply of the first time."""
        for deed in deeds:
            copies = (self._send(deed.event, deed.payload, deed.key) for _ in range(2))
            for reply in await asyncio.gather(*copies):
                assert reply == deed.reply, deed

    async def _remember(self) -> None:
        """Set a key, and every third round delete one; sometimes only as it was last seen."""
        key = f"{self.name}/{self._rounds % OWN_KEYS}"
        value = [self.name, self._rounds]
        written = await self._do("memory:set", {"key": key, "value": value, "tags": ["own"]})
        self.memory[key] = value
        if self._rounds % 3 == 0:
            fields = {"if_version": written["version"]} if self._rounds % 2 else {}
            await self._do("memory:delete", {"key": key, **fields})
            del self.memory[key]

    async def _count(self) -> None:
        """Compare and set, in a race with the others."""
        entry = await self.agent.memory.get("counter")
        try:
            await self._do("memory:set", {"key": "counter", "value": entry.value + 1, "if_version": entry.version})
        except VersionConflict:
            return
        self.increments += 1

    async def _write(self, partner: str) -> None:
        reply = await self._do("direct:send", {"to": partner, "message": self._rounds, "ack": self._rounds % 2 == 0})
        assert reply["payload"]["status"] in ("delivered", "queued"), reply
        self.sent.setdefault(partner, []).append(reply["payload"]["message_id"])

    async def _move(self, shared: str) -> None:
        """In and out of a group that others are in, and of groups of its own."""
        if shared in self.is_in:
            await self._do("group:leave", {"group_id": shared})
            self.is_in.remove(shared)
        else:
            await self._do("group:join", {"group_id": shared})
            self.is_in.add(shared)
        if self._rounds % 4 == 0:
            group = await self._do("group:create", {"name": f"{self.name} {self._rounds}", "type": "pod"})
            self.is_in.add(group["group_id"])
            if self._rounds % 8 == 0:
                await self._do("group:leave", {"group_id": group["group_id"]})
                self.is_in.remove(group["group_id"])

    async def _post(self) -> None:
        reply = await self._do("group:message", {"group_id": self.common, "message": self._rounds})
        assert not reply.get("refused"), reply
        self.posted.append(reply["message_id"])

    async def _tell(self) -> None:
        reply = await self._do("activity:broadcast", {"kind": "task_progress", "description": f"{self._rounds}"})
        self.told.append(reply["event_id"])

    async def _do(self, event: str, payload: dict[str, Any]) -> Any:
        key = uuid.uuid4().hex
        reply = await self._send(event, payload, key)
        self.deeds.append(Deed(event, payload, key, reply))
        return reply

    async def _send(self, event: str, payload: dict[str, Any], key: str) -> Any:
        while True:
            try:
                return await self.agent.request(event, payload, idempotent=True, idempotency_key=key)
            except RingforgeError as error:
                if error.reason not in BUSY:
                    raise
            await asyncio.sleep(ASK_AGAIN_SECONDS)
