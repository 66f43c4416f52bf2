"""The topics of the fleets on the bus: made before a fleet's first event is handed over, kept as long as the plan says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import sqlalchemy as sa

from ringforge_core.plugin.periodic import Periodic
from ringforge_core.ports.event_bus import EventBus, Topic, TopicKind
from ringforge_core.ports.store import Store
from ringforge_core.store.tables import fleet_logs

LOOK_SECONDS = 60.0

RetentionOf = Callable[[str], Awaitable[timedelta]]
"""How long the events of a tenant are kept."""


class FleetTopics(Periodic):
    """Knows the fleets that had an event, and looks at their tenants' retention once a minute."""

    def __init__(self, store: Store, bus: EventBus, kinds: Sequence[TopicKind], retention_of: RetentionOf) -> None:
        self._store = store
        self._bus = bus
        self._kinds = kinds
        self._retention_of = retention_of
        self._known: dict[tuple[str, str], timedelta] = {}
        super().__init__("fleet-topics", self._look, LOOK_SECONDS)

    async def start(self) -> None:
        """A bus that trims the store's log must know of the fleets that are silent from now on, too."""
        if self._bus.log_in_store:
            query = sa.select(fleet_logs.c.tenant_id, fleet_logs.c.fleet_id)
            for tenant_id, fleet_id in await self._store.read(lambda connection: connection.execute(query).all()):
                await self.ensure(tenant_id, fleet_id)
        await super().start()

    async def ensure(self, tenant_id: str, fleet_id: str) -> None:
        """Make the fleet's topics when this is its first event; raises `Unavailable` when the bus is away."""
        if (tenant_id, fleet_id) not in self._known:
            await self._ensure(tenant_id, fleet_id, await self._retention_of(tenant_id))

    async def _look(self) -> None:
        for (tenant_id, fleet_id), retention in list(self._known.items()):
            wanted = await self._retention_of(tenant_id)
            if wanted != retention:
                await self._ensure(tenant_id, fleet_id, wanted)

    async def _ensure(self, tenant_id: str, fleet_id: str, retention: timedelta) -> None:
        for kind in self._kinds:
            await self._bus.ensure_topic(
                Topic(tenant_id, fleet_id, kind.name),
                retention=retention, partitions=kind.partitions, compacted=kind.compacted,
            )  # fmt: skip
        self._known[tenant_id, fleet_id] = retention
