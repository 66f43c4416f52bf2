"""Past events as they stand in a reply: the payload of each, and as many as a client can take in one message."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ringforge_core.ports.event_bus import Event

REPLY_BYTES = 900_000
"""A message to a client stays below 1 MiB."""


class _Envelope(msgspec.Struct):
    payload: msgspec.Raw


_decode = msgspec.json.Decoder(_Envelope).decode


def payload_of(event: Event) -> msgspec.Raw:
    """What the event's push carries inside its envelope."""
    return _decode(event.body).payload


def fitting(events: Iterable[Event]) -> list[Event]:
    """The first events that fit into one reply; always one at least, if there is one."""
    taken: list[Event] = []
    size = 0
    for event in events:
        size += len(memoryview(event.body))
        if taken and size > REPLY_BYTES:
            break
        taken.append(event)
    return taken
