"""Closes the door behind whoever lost the right to be in: revoked and expired keys, deleted agents, suspended tenants.

And tells of agents that were moved to another fleet: they lost the right to be in the old one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import msgspec
import sqlalchemy as sa

from ringforge_core.identity.ids import now
from ringforge_core.identity.tables import agents, api_keys, deleted_agents, tenants
from ringforge_core.plugin.periodic import Periodic
from ringforge_core.ports.store import Store

OVERLAP = timedelta(minutes=1)
"""How far each look goes back behind the last one: covers clocks that differ, commits that took long, and a connection
that was let in on a key verified a moment before."""

OnRevoked = Callable[[set[str], set[str], set[str], float], None]
"""Takes key ids, agent ids and tenant ids, and when this was asked, by the clock of the loop: who was let in later than
that may have been let in again. It is told again what it was told within the last minute."""


OnMoved = Callable[[dict[str, str], float], None]
"""Takes the fleet of each agent that was moved, by agent id, and when this was asked: who was let in or moved later may be
elsewhere by now. It is told again as well."""


class RevocationWatch(Periodic):
    """Looks into the store every `interval` seconds, so that it sees what another process did as well."""

    def __init__(self, store: Store, on_revoked: OnRevoked, on_moved: OnMoved, interval: float = 1.0) -> None:
        self._store = store
        self._on_revoked = on_revoked
        self._on_moved = on_moved
        self._looked_at = now()
        super().__init__("revocation-watch", self._look, interval)

    async def start(self) -> None:
        self._looked_at = now()
        await super().start()

    async def _look(self) -> None:
        at, asked_at = now(), asyncio.get_running_loop().time()
        revoked = await self._store.read(partial(_revoked, since=self._looked_at - OVERLAP, until=at))
        if revoked.keys or revoked.agents or revoked.tenants:
            self._on_revoked(revoked.keys, revoked.agents, revoked.tenants, asked_at)
        if revoked.moved:
            self._on_moved(revoked.moved, asked_at)
        self._looked_at = at


class _Revoked(msgspec.Struct):
    keys: set[str]
    agents: set[str]
    tenants: set[str]
    moved: dict[str, str]


def _revoked(connection: sa.Connection, since: datetime, until: datetime) -> _Revoked:
    def ids(column: sa.Column[str], *conditions: sa.ColumnElement[bool]) -> set[str]:
        return {found for condition in conditions for found in connection.scalars(sa.select(column).where(condition))}

    moved = sa.select(agents.c.agent_id, agents.c.fleet_id).where(agents.c.moved_at >= since)
    return _Revoked(
        keys=ids(api_keys.c.id, api_keys.c.revoked_at >= since, api_keys.c.expires_at.between(since, until)),
        agents=ids(agents.c.agent_id, agents.c.disabled_at >= since)
        | ids(deleted_agents.c.agent_id, deleted_agents.c.deleted_at >= since),
        tenants=ids(tenants.c.id, tenants.c.suspended_at >= since),
        moved={row.agent_id: row.fleet_id for row in connection.execute(moved)},
    )
