"""One agent that is connected here: its channels, and what this process has claimed for it."""

from __future__ import annotations

import asyncio

from ringforge_core.mesh.inbox.put import Address
from ringforge_core.plugin import Member

SLOW_READER_POLL = 0.02
READY_BYTES = 64 * 1024
"""A channel that has more than this to write is not given more from the inbox: what waits there is durable."""


class Mailbox:
    """Lives while the agent has a channel here, or something claimed for it is not settled."""

    __slots__ = ("address", "behind", "expected", "freed", "held", "in_turn_until", "loose", "members", "pump")

    def __init__(self, address: Address) -> None:
        self.address = address
        self.members: list[Member] = []
        self.held: dict[str, asyncio.TimerHandle | None] = {}
        """The messages claimed here and not settled; with a timer those that wait for the agent's acknowledgement."""
        self.loose: frozenset[str] = frozenset()
        """The messages claimed here that nobody pushes yet: the pump may claim them again, another node may not."""
        self.in_turn_until = 0.0
        """Until then what other hubs have in work for the agent comes before anything younger."""
        self.behind = False
        """Something may wait in the database that was not claimed yet."""
        self.pump: asyncio.Task[None] | None = None
        self.freed: asyncio.Event | None = None
        """While the pump runs: set when somebody is done with what they had in work since the last claim."""
        self.expected: dict[str, asyncio.Future[None]] = {}
        """Who wants to know that a message was pushed."""

    @property
    def ready(self) -> bool:
        """Whether some channel takes what is sent."""
        return any((unsent := member.unsent()) is not None and unsent < READY_BYTES for member in self.members)

    async def takes_more(self) -> bool:
        """Wait for a slow reader; False when the agent has no channel any more."""
        while self.members and not self.ready:  # noqa: ASYNC110 — a socket tells of a full buffer, not of every byte
            await asyncio.sleep(SLOW_READER_POLL)
        return bool(self.members)

    def push(self, event: str, body: bytes) -> None:
        for member in self.members:
            member.send(event, body)

    def let_go(self, message_id: str) -> None:
        """The message is settled, or another one's to push."""
        timer = self.held.pop(message_id, None)
        if timer is not None:
            timer.cancel()
