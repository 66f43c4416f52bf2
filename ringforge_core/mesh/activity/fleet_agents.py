"""Whether an agent belongs to a fleet, connected or not."""

from __future__ import annotations

from time import monotonic

import sqlalchemy as sa

from ringforge_core.identity.tables import agents
from ringforge_core.ports.store import Store

KEEP_SECONDS = 60.0
KEEP_AT_MOST = 10_000


class FleetAgents:
    """Remembers agents that it found for a minute; those that it did not find are asked for again."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[tuple[str, str, str], float] = {}

    async def includes(self, tenant_id: str, fleet_id: str, agent_id: str) -> bool:
        key = (tenant_id, fleet_id, agent_id)
        if self._known.get(key, 0.0) > monotonic():
            return True
        query = sa.select(agents.c.agent_id).where(
            agents.c.tenant_id == tenant_id, agents.c.fleet_id == fleet_id, agents.c.agent_id == agent_id
        )
        found = await self._store.read(lambda connection: connection.execute(query).first())
        if found is None:
            return False
        if len(self._known) >= KEEP_AT_MOST:
            self._known.clear()
        self._known[key] = monotonic() + KEEP_SECONDS
        return True
