"""An event as a record, and back. The record is a public contract: `docs/event-bus.md` describes it for who reads Kafka.

topic       ringforge.<fleet_id>.<name>
key         the event's key, UTF-8: its order is kept
timestamp   the event's instant, in milliseconds
value       the event as JSON
headers     event_id, tenant_id, epoch, seq (decimal): what a reader can tell without decoding the value
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec
import structlog
from aiokafka import ConsumerRecord, TopicPartition

from ringforge_core.ports.event_bus import Event, Topic

log = structlog.get_logger(__name__)

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Event)

Headers = list[tuple[str, bytes]]


class Record(msgspec.Struct, frozen=True):
    """What is handed to the producer; `timestamp` in milliseconds since 1970."""

    topic: str
    key: bytes
    value: bytes
    timestamp: int
    headers: Headers


def topic_of(event: Event) -> str:
    """The name of the Kafka topic that the event belongs to."""
    return _topic_name(event.tenant_id, event.fleet_id, event.topic)


@lru_cache(maxsize=10_000)
def _topic_name(tenant_id: str, fleet_id: str, name: str) -> str:
    return str(Topic(tenant_id, fleet_id, name))


def encode(event: Event) -> Record:
    headers = [
        ("event_id", event.event_id.encode()),
        ("tenant_id", event.tenant_id.encode()),
        ("epoch", event.epoch.encode()),
        ("seq", b"%d" % event.seq),
    ]
    return Record(topic_of(event), event.key.encode(), _encoder.encode(event), int(event.at.timestamp() * 1000), headers)


class Decoder:
    """Decodes records and counts the poison: what somebody else wrote, which is logged and left out, never in the way."""

    def __init__(self) -> None:
        self.skipped = 0

    def decode(self, record: ConsumerRecord[bytes, bytes]) -> Event | None:
        """The record's event; None for a tombstone, and for a record that is none of ours."""
        if record.value is None:
            return None
        try:
            event = _decoder.decode(record.value)
            if topic_of(event) != record.topic:
                raise ValueError("the event belongs to another topic")
        except ValueError as error:  # msgspec's errors are ValueErrors, and so are those of UTF-8
            self.skipped += 1
            log.warning(
                "kafka_record_skipped",
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                error=str(error),
            )
            return None
        return event


def decode_in_order(
    batches: Mapping[TopicPartition, Sequence[ConsumerRecord[bytes, bytes]]], decoder: Decoder
) -> list[Event]:
    """What several partitions held, put together again in `seq` order."""
    decoded = (decoder.decode(record) for records in batches.values() for record in records)
    return sorted((event for event in decoded if event is not None), key=lambda event: event.seq)


def seq_of(record: ConsumerRecord[bytes, bytes]) -> int:
    """The event's seq by its header; 0 when the record has none."""
    for name, value in record.headers:
        if name == "seq" and value.isdigit():
            return int(value)
    return 0
