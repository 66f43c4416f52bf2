"""What the hubs tell each other of who is present at them.

Each hub tells every change of its own agents. A hub that starts, or may have missed something, greets; the others answer
with all that are present at them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import msgspec

from ringforge_core.mesh.presence.messages import RosterEntry
from ringforge_core.ports.store import Store

ANSWER_SECONDS = 1.0
"""How long a hub that starts waits for the answers of those that live."""

Entries = dict[str, list[RosterEntry]]
"""By fleet."""


class Change(msgspec.Struct, array_like=True):
    """What an agent that is present at `node` does; without an entry it is not there any more, since `last_seen_at`."""

    node: str
    fleet_id: str
    agent_id: str
    entry: RosterEntry | None = None
    last_seen_at: str = ""


class Everyone(msgspec.Struct, array_like=True):
    """All that are present at `node`."""

    node: str
    entries: Entries


class Audience(Protocol):
    """Who is told."""

    def changed_elsewhere(self, change: Change) -> None: ...
    def all_elsewhere(self, everyone: Everyone) -> None: ...


class Sharing:
    """On a store of a single hub nothing is sent and nothing comes."""

    def __init__(self, store: Store, node: str, audience: Audience, present: Callable[[], Entries]) -> None:
        self._store = store
        self._node = node
        self._audience = audience
        self._present = present
        self._answered: set[str] = set()
        self._answer = asyncio.Event()
        self._change = msgspec.json.Decoder(Change)
        self._everyone = msgspec.json.Decoder(Everyone)
        if store.shared:
            store.on_signal("presence", lambda body: audience.changed_elsewhere(self._change.decode(body)))
            store.on_signal("presence.all", self._heard_all)
            store.on_signal("presence.hello", lambda _: self._tell_all(), missed=self._greet)

    async def start(self, others: frozenset[str]) -> None:
        """Greet, and wait a moment for the answers of the other hubs."""
        if not self._store.shared:
            return
        await self._greet()
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_SECONDS):
                while not others <= self._answered:
                    self._answer.clear()
                    await self._answer.wait()

    def tell(self, fleet_id: str, entry: RosterEntry) -> None:
        """An agent of this hub came, or does something else."""
        if self._store.shared:
            self._store.signal("presence", msgspec.json.encode(Change(self._node, fleet_id, entry.agent_id, entry)))

    def tell_left(self, fleet_id: str, agent_id: str, last_seen_at: str) -> None:
        if self._store.shared:
            change = Change(self._node, fleet_id, agent_id, None, last_seen_at)
            self._store.signal("presence", msgspec.json.encode(change))

    async def _greet(self) -> None:
        self._store.signal("presence.hello", msgspec.json.encode(self._node))
        self._tell_all()

    def _tell_all(self) -> None:
        self._store.signal("presence.all", msgspec.json.encode(Everyone(self._node, self._present())))

    def _heard_all(self, body: bytes) -> None:
        everyone = self._everyone.decode(body)
        self._audience.all_elsewhere(everyone)
        self._answered.add(everyone.node)
        self._answer.set()
