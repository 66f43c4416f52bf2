"""How long each topic is kept, and the worker that trims what is older."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import structlog

from ringforge_core.errors import Unavailable
from ringforge_core.ports.event_bus import Topic
from ringforge_core.ports.store import Store

log = structlog.get_logger(__name__)


class Retention:
    """Trims the topics that were ensured, every `interval` seconds."""

    def __init__(self, store: Store, *, interval: float) -> None:
        self._store = store
        self._interval = interval
        self._kept: dict[tuple[str, str, str], timedelta] = {}
        self._worker: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._worker = asyncio.create_task(self._run(), name="eventbus-local-retention")

    async def stop(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.cancel()
            await asyncio.wait([worker])

    def keep(self, topic: Topic, retention: timedelta) -> None:
        self._kept[topic.tenant_id, topic.fleet_id, topic.name] = retention

    async def _trim(self) -> None:
        now = datetime.now(UTC)
        for (tenant_id, fleet_id, name), retention in list(self._kept.items()):
            await self._store.trim_events(tenant_id, fleet_id, name, before=now - retention)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            try:
                await self._trim()
            except Unavailable as error:
                log.warning("retention_round_failed", error=error.message)
