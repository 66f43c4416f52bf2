"""How long each topic is kept, and the worker that trims what is older."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ringforge_core.plugin import Periodic
from ringforge_core.ports.event_bus import Topic
from ringforge_core.ports.store import Store


class Retention(Periodic):
    """Trims the topics that were ensured, every `interval` seconds."""

    def __init__(self, store: Store, *, interval: float) -> None:
        self._store = store
        self._kept: dict[tuple[str, str, str], timedelta] = {}
        super().__init__("eventbus-local-retention", self._trim, interval)

    def keep(self, topic: Topic, retention: timedelta) -> None:
        self._kept[topic.tenant_id, topic.fleet_id, topic.name] = retention

    def forget(self, topic: Topic) -> None:
        self._kept.pop((topic.tenant_id, topic.fleet_id, topic.name), None)

    async def _trim(self) -> None:
        now = datetime.now(UTC)
        for (tenant_id, fleet_id, name), retention in list(self._kept.items()):
            await self._store.trim_events(tenant_id, fleet_id, name, before=now - retention)
