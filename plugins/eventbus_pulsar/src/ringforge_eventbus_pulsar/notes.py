"""What is noted about a topic on the broker, for all nodes.

The notes are the topic's properties: whose it is, how long its events count, and from when on it was trimmed. The broker
deletes whole ledgers, some time after all of their messages are too old; the notes make replay exact to the event.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from ringforge_core.ports.event_bus import Topic

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    retention: timedelta
    partitions: int = 1
    compacted: bool = False


class Notes(msgspec.Struct, frozen=True, kw_only=True):
    """What is noted about a topic. Properties are texts, so all of it is."""

    tenant: str
    partitions: str
    created: str
    """When the topic was made: nothing in it was published before."""
    retention_seconds: str
    compacted: str = ""
    trimmed_before: str = ""

    def oldest(self, now: datetime) -> datetime:
        trimmed = datetime.fromisoformat(self.trimmed_before) if self.trimmed_before else _BEGINNING
        if self.compacted:
            return trimmed
        return max(trimmed, now - timedelta(seconds=float(self.retention_seconds)))


class StoredTopic(msgspec.Struct, frozen=True):
    """A topic as it can be read: events before `oldest` are forgotten, and nothing was published before `created`."""

    partitions: list[str]
    oldest: datetime
    created: datetime


def notes_of(topic: Topic, layout: Layout) -> Notes:
    return Notes(
        tenant=topic.tenant_id,
        partitions=str(layout.partitions),
        created=datetime.now(UTC).isoformat(),
        retention_seconds=str(layout.retention.total_seconds()),
        compacted="yes" if layout.compacted else "",
    )
