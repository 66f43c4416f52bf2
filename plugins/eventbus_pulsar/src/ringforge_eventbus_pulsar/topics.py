"""How topics are laid out on the broker: namespace, partitions, policies; and finding them again."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import structlog

from ringforge_core.errors import Unavailable
from ringforge_core.ports.event_bus import Topic
from ringforge_eventbus_pulsar.admin import Admin, path_of
from ringforge_eventbus_pulsar.names import Names, is_ours, partitions_of
from ringforge_eventbus_pulsar.notes import Layout, Notes, StoredTopic, notes_of
from ringforge_eventbus_pulsar.settings import PulsarEventBusSettings

_FOR_EVER = timedelta(days=3650)
"""The broker's numbers overflow some time after it."""
_MISSING = (404, 409)
"""Gone already, or just being deleted."""

log = structlog.get_logger(__name__)


class Topics:
    """`created` is told the partitions of a topic that this node made."""

    def __init__(
        self, admin: Admin, names: Names, settings: PulsarEventBusSettings, created: Callable[[Sequence[str]], None]
    ) -> None:
        self._admin = admin
        self._names = names
        self._settings = settings
        self._created = created
        self._ensured: dict[Topic, Layout] = {}
        self._ensuring = asyncio.Lock()

    async def set_up(self) -> None:
        """Make the tenant and the namespace as far as they are missing, and say what holds for all topics in it."""
        tenant, namespace = self._settings.tenant, f"namespaces/{self._names.namespace}"
        clusters = await self._admin.get("clusters") or []
        await self._admin.put(f"tenants/{tenant}", {"allowedClusters": clusters}, but=(401, 403, 409))
        if await self._admin.put(namespace, {}, but=(401, 403, 404, 409)) == 404:
            fix = f'Have an administrator make it, with "{tenant}" among the tenants that this hub may administer.'
            raise Unavailable(f'Pulsar has no tenant "{tenant}", and this hub may not make one', fix=fix)
        # Only ensure_topic makes topics: a reader that connects again must not bring back one that was dropped.
        await self._admin.post(f"{namespace}/autoTopicCreation", {"allowAutoTopicCreation": False})
        await self._admin.post(f"{namespace}/retention", _retention(timedelta(hours=self._settings.retention_hours)))
        await self._admin.post(
            f"{namespace}/backlogQuota?backlogQuotaType=destination_storage",
            {"limitSize": self._settings.backlog_megabytes << 20, "policy": "consumer_backlog_eviction"},
        )

    async def ensure(self, topic: Topic, layout: Layout) -> None:
        """Create the topic, or bring its policies up to date; does nothing when this node did just that before."""
        async with self._ensuring:
            if self._ensured.get(topic) != layout:
                await self._create(topic, layout)
                await self._apply_policies(topic, layout)
                self._ensured[topic] = layout

    async def ensure_some(self, topic: Topic) -> None:
        """Create the topic with one partition unless there is one."""
        async with self._ensuring:
            if topic not in self._ensured:
                await self._create(topic, Layout(retention=timedelta(hours=self._settings.retention_hours)))

    async def find(self, topic: Topic) -> StoredTopic | None:
        """None for an unknown topic, and for one of another tenant."""
        name = self._names.of(topic)
        properties: dict[str, Any] | None = await self._admin.get(f"{path_of(name)}/properties")
        if properties is None or properties.get("tenant") != topic.tenant_id:
            return None
        notes = msgspec.convert(properties, Notes)
        return StoredTopic(
            partitions=partitions_of(name, int(notes.partitions)),
            oldest=notes.oldest(datetime.now(UTC)),
            created=datetime.fromisoformat(notes.created),
        )

    async def note_trimmed(self, topic: Topic, before: datetime) -> None:
        """Also asks the broker to delete what no plan keeps any longer."""
        path = path_of(self._names.of(topic))
        await self._admin.put(f"{path}/properties", {"trimmed_before": before.isoformat()})
        await self._admin.post(f"{path}/trim", but=(404, 405, 412))

    async def drop(self, topic: Topic) -> None:
        if await self.find(topic) is not None:
            await self._admin.delete(f"{path_of(self._names.of(topic))}/partitions?force=true", but=_MISSING)
        self.forget(topic)

    def forget(self, topic: Topic) -> None:
        """It may be gone: look again before it is used."""
        self._ensured.pop(topic, None)

    async def partitions(self) -> list[str]:
        """The partitions of all topics in the namespace that are Ringforge's."""
        listed: list[str] = await self._admin.get(f"persistent/{self._names.namespace}") or []
        return [partition for partition in listed if is_ours(partition)]

    async def end_of(self, partition: str) -> tuple[int, int, int] | None:
        """Its newest message: ledger, entry (-1 for none in that ledger), index in the batch (-1 without a batch).

        None when the topic is gone.
        """
        found = await self._admin.get(f"{path_of(partition)}/lastMessageId")
        return None if found is None else (found["ledgerId"], found["entryId"], found["batchIndex"])

    async def _create(self, topic: Topic, layout: Layout) -> None:
        name = self._names.of(topic)
        body = {"partitions": layout.partitions, "properties": msgspec.to_builtins(notes_of(topic, layout))}
        if await self._admin.put(f"{path_of(name)}/partitions", body, but=(409,), properties=True) != 409:
            self._created(partitions_of(name, layout.partitions))

    async def _apply_policies(self, topic: Topic, layout: Layout) -> None:
        path = path_of(self._names.of(topic))
        changed = {
            "retention_seconds": str(layout.retention.total_seconds()),
            "compacted": "yes" if layout.compacted else "",
        }
        await self._admin.put(f"{path}/properties", changed)
        policies: list[tuple[str, object]]
        if layout.compacted:
            policies = [("compactionThreshold", self._settings.compaction_bytes)]
        else:
            policies = [
                ("retention", _retention(layout.retention)),
                (f"messageTTL?messageTTL={_ttl(layout.retention)}", None),
            ]
        for policy, body in policies:
            if await self._admin.post(f"{path}/{policy}", body, but=(405,)) == 405:
                log.warning("pulsar_topic_policies_disabled", policy=policy.partition("?")[0])


def _retention(keep: timedelta) -> dict[str, int]:
    """Without a limit of size; the broker knows whole minutes."""
    minutes = -1 if keep >= _FOR_EVER else max(1, math.ceil(keep.total_seconds() / 60))
    return {"retentionTimeInMinutes": minutes, "retentionSizeInMB": -1}


def _ttl(keep: timedelta) -> int:
    """Seconds until the broker ceases to keep an event for a group that has not handled it; 0 is never."""
    return 0 if keep >= _FOR_EVER else max(1, math.ceil(keep.total_seconds()))
