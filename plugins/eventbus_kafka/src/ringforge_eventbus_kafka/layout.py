"""The settings of a topic in Kafka.

Kafka forgets whole segments, so a segment spans an eighth of the retention: an event stays at most that much longer than
its plan says. A compacted topic may also be trimmed, which Kafka allows only where its policy has `delete` too.
"""

from __future__ import annotations

from datetime import timedelta

from ringforge_eventbus_kafka.settings import KafkaEventBusSettings

_SEGMENTS = 8
_LONGEST_SEGMENT = timedelta(days=7)
_SHORTEST_SEGMENT = timedelta(seconds=1)


def topic_settings(settings: KafkaEventBusSettings, retention: timedelta, *, compacted: bool) -> dict[str, str]:
    shared = {"max.message.bytes": str(settings.max_event_bytes), "message.timestamp.type": "CreateTime"}
    if compacted:
        lag = timedelta(seconds=settings.compact_after_seconds)
        return shared | {
            "cleanup.policy": "compact,delete",
            "retention.ms": "-1",
            "segment.ms": _milliseconds(min(lag, _LONGEST_SEGMENT)),
            "max.compaction.lag.ms": _milliseconds(lag),
        }
    segment = max(_SHORTEST_SEGMENT, min(retention / _SEGMENTS, _LONGEST_SEGMENT))
    return shared | {
        "cleanup.policy": "delete",
        "retention.ms": _milliseconds(retention),
        "segment.ms": _milliseconds(segment),
    }


def _milliseconds(time: timedelta) -> str:
    return str(max(1, int(time.total_seconds() * 1000)))
