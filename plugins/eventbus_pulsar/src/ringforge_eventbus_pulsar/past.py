"""The partitions of a topic as one stream in the order of publishing, from an instant to where they end now."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple

import pulsar
from pulsar.asyncio import Client, Reader

from ringforge_core.ports.event_bus import Event
from ringforge_eventbus_pulsar.connection import closed, opened, translated
from ringforge_eventbus_pulsar.record import Decoder

_AHEAD = 1_000


class Published(NamedTuple):
    """An event, and when the broker was given it, in milliseconds since 1970 by the clock of the hub that gave it."""

    at_ms: int
    event: Event


class Past:
    """Compacted partitions are read as what compaction left, then what came since."""

    def __init__(self, client: Client, decoder: Decoder) -> None:
        self._client = client
        self._decoder = decoder

    @asynccontextmanager
    async def read(self, partitions: Sequence[str], from_ms: int) -> AsyncIterator[AsyncIterator[Published]]:
        """What was published at `from_ms` or later."""
        async with AsyncExitStack() as stack:
            with translated("read from Pulsar"):
                readers = await asyncio.gather(*(self._reader(partition, from_ms, stack) for partition in partitions))
            yield self._merged(readers)

    async def _reader(self, partition: str, from_ms: int, stack: AsyncExitStack) -> Reader:
        reader = await opened(
            self._client.create_reader(
                partition, pulsar.MessageId.earliest, receiver_queue_size=_AHEAD, is_read_compacted=True
            )
        )
        stack.push_async_callback(closed, reader)
        if from_ms > 0:
            await reader.seek(from_ms)
        return reader

    async def _merged(self, readers: Sequence[Reader]) -> AsyncIterator[Published]:
        with translated("read from Pulsar"):
            waiting: list[tuple[int, int, Event]] = []
            for number, reader in enumerate(readers):
                if first := await self._next(reader):
                    heapq.heappush(waiting, (first.at_ms, number, first.event))
            while waiting:
                at_ms, number, event = waiting[0]
                yield Published(at_ms, event)
                if following := await self._next(readers[number]):
                    heapq.heapreplace(waiting, (following.at_ms, number, following.event))
                else:
                    heapq.heappop(waiting)

    async def _next(self, reader: Reader) -> Published | None:
        """None at the end."""
        while await reader.has_message_available():
            message = await reader.read_next()
            if event := self._decoder.decode(message):
                return Published(message.publish_timestamp(), event)
        return None
