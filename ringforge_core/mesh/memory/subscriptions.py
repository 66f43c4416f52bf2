"""Who follows which keys: rows that outlive a restart, and the same in memory for the way of every change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import sqlalchemy as sa

from ringforge_core.errors import LimitReached, RingforgeError
from ringforge_core.identity.ids import now
from ringforge_core.mesh.memory.messages import MAX_SUBSCRIPTIONS
from ringforge_core.mesh.memory.patterns import FleetPatterns, Wanted
from ringforge_core.mesh.memory.tables import memory_subscriptions as table
from ringforge_core.plugin import AgentSession
from ringforge_core.ports.event_bus import Event
from ringforge_core.ports.store import Once, Store, Transaction

SIGNAL = "memory.patterns"


class PatternChange(msgspec.Struct, frozen=True):
    """An agent wants these events of a pattern, or none of them any more."""

    tenant_id: str
    fleet_id: str
    agent_id: str
    pattern: str
    events: tuple[str, ...]


class Followed(msgspec.Struct, array_like=True):
    """All that an agent wants to hear of now; the hubs tell each other."""

    fleet_id: str
    agent_id: str
    wanted: dict[str, frozenset[str]]


class Subscriptions:
    """Loaded as a whole at the start: an agent that resumes is owed what its patterns brought while it was away."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._decoder = msgspec.json.Decoder(Followed)
        store.on_signal(SIGNAL, self._changed_elsewhere, missed=self.load)
        self._fleets: dict[str, FleetPatterns] = {}

    async def load(self) -> None:
        rows = await self._store.read(lambda connection: connection.execute(sa.select(table)).all())
        agents: dict[tuple[str, str], dict[str, frozenset[str]]] = {}
        for row in rows:
            agents.setdefault((row.fleet_id, row.agent_id), {})[row.pattern] = frozenset(row.events)
        self._fleets.clear()
        for (fleet_id, agent_id), wanted in agents.items():
            self._replace(fleet_id, agent_id, wanted)

    def interested(self, event: Event) -> Iterable[str]:
        """The agents whose patterns match the changed key and who want this kind of change."""
        fleet = self._fleets.get(event.fleet_id)
        return fleet.interested(event.key, event.kind or "") if fleet else ()

    async def subscribe(
        self, agent: AgentSession, pattern: str, events: Sequence[str], *, once: Once | None = None
    ) -> None:
        """In place of an earlier subscription to the same pattern."""
        await self._change(agent, pattern, tuple(sorted(set(events))), once)

    async def unsubscribe(self, agent: AgentSession, pattern: str, *, once: Once | None = None) -> None:
        await self._change(agent, pattern, (), once)

    async def _change(self, agent: AgentSession, pattern: str, events: tuple[str, ...], once: Once | None) -> None:
        change = PatternChange(agent.tenant_id, agent.fleet_id, agent.agent_id, pattern, events)
        wanted = await self._store.apply(_write, change, once=once)
        if isinstance(wanted, msgspec.Raw):
            return  # a repeat; what the agent wants may be something else by now
        self._replace(agent.fleet_id, agent.agent_id, wanted)
        followed = Followed(agent.fleet_id, agent.agent_id, dict(wanted))
        self._store.signal(SIGNAL, msgspec.json.encode(followed))

    def _changed_elsewhere(self, body: bytes) -> None:
        followed = self._decoder.decode(body)
        self._replace(followed.fleet_id, followed.agent_id, followed.wanted)

    def _replace(self, fleet_id: str, agent_id: str, wanted: Wanted) -> None:
        fleet = self._fleets.setdefault(fleet_id, FleetPatterns())
        fleet.replace(agent_id, wanted)
        if not fleet.agents:
            del self._fleets[fleet_id]


def _write(tx: Transaction, changes: Sequence[PatternChange]) -> list[Wanted | RingforgeError]:
    return [_apply(tx, change) for change in changes]


def _apply(tx: Transaction, change: PatternChange) -> Wanted | RingforgeError:
    """All that the agent wants now."""
    of_agent = table.c.tenant_id == change.tenant_id, table.c.agent_id == change.agent_id
    mine = *of_agent, table.c.fleet_id == change.fleet_id
    rows = tx.execute(sa.select(table.c.pattern, table.c.events).where(*mine))
    wanted = {row.pattern: frozenset(row.events) for row in rows}
    if change.events and change.pattern not in wanted and len(wanted) >= MAX_SUBSCRIPTIONS:
        return LimitReached(
            f"An agent can follow {MAX_SUBSCRIPTIONS} patterns.",
            reason="too_many_subscriptions",
            fix="Unsubscribe from patterns that you no longer need, or take a wider one in place of many.",
            limit=MAX_SUBSCRIPTIONS,
        )
    if wanted.pop(change.pattern, None) is not None:
        tx.execute(table.delete().where(*mine, table.c.pattern == change.pattern))
    if change.events:
        # What it followed in a fleet that it was moved out of would stand in the way of following it here.
        tx.execute(table.delete().where(*of_agent, table.c.fleet_id != change.fleet_id))
        row = {**msgspec.structs.asdict(change), "subscribed_at": now()}
        tx.execute(table.insert(), row)
        wanted[change.pattern] = frozenset(change.events)
    return wanted
