"""Consumers that replays borrow, and the reading itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

Offsets = dict[TopicPartition, int]
Records = list[ConsumerRecord[bytes, bytes]]

_READERS = 4
"""Replays at a time; more of them wait."""
_RECORDS = 1_000
"""Most records taken from a reader at once."""
_POLL_MILLISECONDS = 500


class Readers:
    """Connects when the first replay comes; a reader that failed is not used again."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        self._free: list[AIOKafkaConsumer] = []
        self._places = asyncio.Semaphore(_READERS)

    async def stop(self) -> None:
        while self._free:
            await self._free.pop().stop()

    @asynccontextmanager
    async def borrow(self, partitions: Sequence[TopicPartition]) -> AsyncIterator[AIOKafkaConsumer]:
        """A reader that knows these partitions, and reads none of them yet."""
        async with self._places:
            reader = self._free.pop() if self._free else await self._connect()
            try:
                reader.assign(partitions)
                reader.pause(*partitions)
                yield reader
            except BaseException:
                await reader.stop()
                raise
            self._free.append(reader)

    async def _connect(self) -> AIOKafkaConsumer:
        reader = AIOKafkaConsumer(
            **self._options, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest", fetch_max_wait_ms=50
        )
        try:
            await reader.start()
        except BaseException:
            await reader.stop()
            raise
        return reader


async def offsets_at(
    reader: AIOKafkaConsumer, partitions: Iterable[TopicPartition], instant: datetime, end: Mapping[TopicPartition, int]
) -> Offsets:
    """Of each partition the first record that is not older than `instant`; the end when all are."""
    found = await reader.offsets_for_times(dict.fromkeys(partitions, milliseconds(instant)))
    return {partition: end[partition] if place is None else place.offset for partition, place in found.items()}


async def scan(
    reader: AIOKafkaConsumer,
    first: Mapping[TopicPartition, int],
    end: Mapping[TopicPartition, int],
    enough: set[TopicPartition],
) -> AsyncGenerator[tuple[TopicPartition, Records], None]:
    """The records from `first` up to, not including, `end`. The caller puts into `enough` what it wants no more of."""
    left = {partition for partition, offset in first.items() if offset < end[partition]}
    if not left:
        return
    for partition in left:
        reader.seek(partition, first[partition])
        reader.resume(partition)
    while left:
        batches = await reader.getmany(*left, timeout_ms=_POLL_MILLISECONDS, max_records=_RECORDS)
        for partition, records in batches.items():
            if records := [record for record in records if record.offset < end[partition]]:
                yield partition, records
        for partition in list(left):
            if partition in enough or await reader.position(partition) >= end[partition]:
                left.remove(partition)
                reader.pause(partition)


def milliseconds(instant: datetime) -> int:
    return max(0, int(instant.timestamp() * 1000))
