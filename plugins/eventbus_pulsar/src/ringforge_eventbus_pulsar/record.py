"""An event as a message: the whole event as JSON, and what tools filter by as properties."""

from __future__ import annotations

from typing import Any

import msgspec
import pulsar
import structlog

from ringforge_core.ports.event_bus import Event

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Event)

log = structlog.get_logger(__name__)


def as_message(event: Event) -> dict[str, Any]:
    """The arguments of a producer's `send`."""
    return {
        "content": _encoder.encode(event),
        "partition_key": event.key,
        "event_timestamp": int(event.at.timestamp() * 1000),
        "properties": {
            "event_id": event.event_id,
            "epoch": event.epoch,
            "seq": str(event.seq),
            "tenant": event.tenant_id,
        },
    }


class Decoder:
    """Reads messages, and counts those that are no events: a poison message must not hold up what is behind it."""

    def __init__(self) -> None:
        self.skipped = 0

    def decode(self, message: pulsar.Message) -> Event | None:
        """The event; None for a poison message, which is logged without its content."""
        try:
            return _decoder.decode(message.data())
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            self.skipped += 1
            where = str(message.message_id())
            log.warning("poison_message_skipped", topic=message.topic_name(), message_id=where, error=str(error))
            return None
