"""Writing events to a broker as fast as it acknowledges them, in the two ways that the hub knows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import Any

import msgspec

from ringforge_core.ports.event_bus import Event
from ringforge_core.testkit.event_bus_events import new_event, new_topic

AGENTS = 100
SLICE = 1_000
PARTITIONS = 6
BODY = msgspec.Raw(msgspec.json.encode({"payload": {"kind": "custom", "description": "x" * 60}}))

Write = Callable[[Sequence[Event]], Awaitable[Any]]

TOPIC = new_topic()
_numbers = count(1)


def events(how_many: int) -> list[Event]:
    return [
        msgspec.structs.replace(new_event(TOPIC, key=f"ag_{n % AGENTS}", body=BODY), epoch="bench", seq=next(_numbers))
        for n in range(how_many)
    ]


async def one_by_one(write: Write, seconds: float) -> float:
    """Each agent writes its next event when the one before is acknowledged."""
    written, started = 0, time.perf_counter()

    async def agent() -> None:
        nonlocal written
        while time.perf_counter() - started < seconds:
            await write(events(1))
            written += 1

    await asyncio.gather(*(agent() for _ in range(AGENTS)))
    return written / (time.perf_counter() - started)


async def in_slices(write: Write, seconds: float) -> float:
    written, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        await write(events(SLICE))
        written += SLICE
    return written / (time.perf_counter() - started)
