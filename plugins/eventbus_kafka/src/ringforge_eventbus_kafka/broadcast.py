"""A subscriber without a group: it sees every event of all fleets from now on, also of fleets that come later.

It keeps its own place in each partition and tells the broker nothing of it: the bus says which topics there are, and a
topic that appears is read from its beginning.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from ringforge_core.ports.event_bus import Handler
from ringforge_eventbus_kafka.delivery import BATCH, POLL_MILLISECONDS, Delivery
from ringforge_eventbus_kafka.failures import translated
from ringforge_eventbus_kafka.records import Decoder, decode_in_order
from ringforge_eventbus_kafka.topics import partitions_of

FETCH_BYTES = 8_388_608
"""Most that waits in memory for one subscriber, unless a single event is larger."""
FETCH_MILLISECONDS = 200
"""How long the broker may hold back an answer that has nothing in it; so long a new topic waits at most."""


class Broadcast(Delivery):
    def __init__(
        self,
        handler: Handler,
        on_end: Callable[[Delivery], None],
        names: frozenset[str],
        decoder: Decoder,
        options: dict[str, Any],
    ) -> None:
        super().__init__(handler, on_end)
        self._names = names
        self._decoder = decoder
        self._taken: dict[TopicPartition, int] = {}
        self._handled: dict[TopicPartition, int] = {}
        self._progress = asyncio.Condition()
        self._consumer = AIOKafkaConsumer(
            **options,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_bytes=FETCH_BYTES,
            fetch_max_wait_ms=FETCH_MILLISECONDS,
        )

    async def start(self, topics: Mapping[str, int]) -> None:
        """Take the ends of these topics, by the number of their partitions, as the place to begin."""
        with translated("subscribe"):
            await self._consumer.start()
            there = partitions_of(topics, self._names)
            if there:
                self._consumer.assign(there)  # so that it asks for the leaders of all at once, not of one after the other
                self._taken = dict(await self._consumer.end_offsets(there))
        self._handled = dict(self._taken)
        self._assign()
        self.run()

    def follow(self, topics: Mapping[str, int]) -> None:
        """Read what appeared from its beginning, and forget what is gone. Before the start there is nothing to follow."""
        if not self.is_running:
            return
        there = set(partitions_of(topics, self._names))
        if there == self._taken.keys():
            return
        self._taken = {partition: self._taken.get(partition, 0) for partition in there}
        self._handled = {partition: self._handled.get(partition, 0) for partition in there}
        self._assign()

    @property
    def lag(self) -> int:
        return sum(
            max(0, (self._consumer.highwater(partition) or 0) - handled)
            for partition, handled in self._handled.items()
            if partition in self._consumer.assignment()
        )

    async def drained(self) -> None:
        """Returns when all that is in the log right now has been handled."""
        if not self._handled:
            return
        ends = await self._consumer.end_offsets(list(self._handled))
        async with self._progress:
            await self._progress.wait_for(
                lambda: all(self._handled.get(partition, end) >= end for partition, end in ends.items())
            )

    def _assign(self) -> None:
        """Hand our places to the consumer: a new assignment forgets those it had."""
        self._consumer.assign(list(self._taken))
        for partition, offset in self._taken.items():
            self._consumer.seek(partition, offset)

    async def _step(self) -> None:
        if not self._taken:
            await self._pause(POLL_MILLISECONDS / 1000)
            return
        batches = await self._consumer.getmany(timeout_ms=POLL_MILLISECONDS, max_records=BATCH)
        batches = {partition: records for partition, records in batches.items() if partition in self._taken}
        reached = {partition: records[-1].offset + 1 for partition, records in batches.items()}
        self._taken |= reached
        if events := decode_in_order(batches, self._decoder):
            await self._deliver(events)
        async with self._progress:
            self._handled |= {partition: offset for partition, offset in reached.items() if partition in self._handled}
            self._progress.notify_all()

    async def _close(self) -> None:
        await self._consumer.stop()
