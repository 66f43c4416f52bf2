"""Trims the store's log for a bus that keeps one of its own: past the plan's retention it is nobody's to resume from.

A bus that replays the store's log trims it itself.
"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa

from ringforge_core.plugin.periodic import Periodic
from ringforge_core.ports.store import Store
from ringforge_core.store.fleet_topics import RetentionOf
from ringforge_core.store.tables import events, fleet_logs

LOOK_SECONDS = 60.0

_OLDEST = sa.select(fleet_logs.c.tenant_id, fleet_logs.c.fleet_id, events.c.at).join(
    events, sa.and_(events.c.fleet_id == fleet_logs.c.fleet_id, events.c.seq == fleet_logs.c.trimmed_seq + 1)
)
"""The oldest event of each fleet: all topics are trimmed together, so it comes right after what was trimmed."""


class LogRetention(Periodic):
    def __init__(self, store: Store, retention_of: RetentionOf, interval: float = LOOK_SECONDS) -> None:
        self._store = store
        self._retention_of = retention_of
        super().__init__("log-retention", self._trim, interval)

    async def _trim(self) -> None:
        rows = await self._store.read(lambda connection: connection.execute(_OLDEST).all())
        for tenant_id, fleet_id, at in rows:
            before = datetime.now(UTC) - await self._retention_of(tenant_id)
            if at < before:
                await self._store.trim_events(tenant_id, fleet_id, None, before=before)
