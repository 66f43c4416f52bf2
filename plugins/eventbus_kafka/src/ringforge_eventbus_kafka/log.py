"""Read the past, and forget it.

Kafka finds an instant in a partition by its index, so a replay begins at `since`. An event may lie later in the log than
its instant says, because the broker or its node was away when it happened: a replay reads on for `late_seconds` past the
last instant that it needs.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from cachetools import LRUCache

from ringforge_core.ports.event_bus import Replay, ReplayFilter, Topic
from ringforge_eventbus_kafka.failures import translated
from ringforge_eventbus_kafka.page import Page
from ringforge_eventbus_kafka.readers import Offsets, Readers, Records, milliseconds, offsets_at, scan
from ringforge_eventbus_kafka.records import Decoder, seq_of
from ringforge_eventbus_kafka.settings import KafkaEventBusSettings
from ringforge_eventbus_kafka.topics import Topics, partitions_of

_BOOKMARKS = 10_000
_FIRST_WINDOW = 500
"""Records of each partition that are read first when the newest are wanted; eight times as many each next time."""


class Log:
    def __init__(self, settings: KafkaEventBusSettings, options: dict[str, Any], topics: Topics, decoder: Decoder) -> None:
        self._late = timedelta(seconds=settings.late_seconds)
        self._seconds = settings.replay_seconds
        self._topics = topics
        self._decoder = decoder
        self._readers = Readers(options)
        self._bookmarks: LRUCache[tuple[Topic, int], datetime] = LRUCache(_BOOKMARKS)
        """When the event happened at which a page ended: the next page need not begin at the beginning."""

    async def stop(self) -> None:
        await self._readers.stop()

    async def replay(self, topic: Topic, query: ReplayFilter) -> Replay:
        with translated(f"replay {topic}"):
            async with asyncio.timeout(self._seconds):
                partitions = await self._partitions(topic)
                if not partitions:
                    return Replay((), None)
                page = Page(topic, query)
                async with self._readers.borrow(partitions) as reader:
                    read = self._read_newest if query.newest else self._read_oldest
                    await read(reader, partitions, page, self._begin_at(topic, query), query)
        replay = page.result()
        if replay.next_seq is not None:
            self._bookmarks[topic, replay.next_seq] = page.latest
        return replay

    async def trim(self, topic: Topic, before: datetime) -> int:
        """Let Kafka forget what lies before the first event that is young enough; returns how many records that were."""
        if await self.owner(topic) != topic.tenant_id:
            return 0
        with translated(f"trim {topic}"):
            partitions = await self._partitions(topic)
            async with self._readers.borrow(partitions) as reader:
                first, end = await reader.beginning_offsets(partitions), await reader.end_offsets(partitions)
                young = await offsets_at(reader, partitions, before, end)
            old = {partition: young[partition] for partition in partitions if young[partition] > first[partition]}
            await self._topics.delete_records(old)
            return sum(offset - first[partition] for partition, offset in old.items())

    async def owner(self, topic: Topic) -> str | None:
        """The tenant whose events the topic holds, which its name in Kafka does not tell; None when it holds none."""
        with translated(f"read {topic}"):
            async with asyncio.timeout(self._seconds):
                partitions = await self._partitions(topic)
                async with self._readers.borrow(partitions) as reader:
                    first, end = await reader.beginning_offsets(partitions), await reader.end_offsets(partitions)
                    async with aclosing(scan(reader, first, end, set())) as batches:
                        async for _, records in batches:
                            for event in map(self._decoder.decode, records):
                                if event is not None:
                                    return event.tenant_id
        return None

    async def _partitions(self, topic: Topic) -> list[TopicPartition]:
        """Empty for a topic that does not exist; asks Kafka before it says so."""
        name = str(topic)
        if name not in self._topics.partitions:
            await self._topics.refresh()
        count = self._topics.partitions.get(name)
        return partitions_of({name: count}, frozenset()) if count else []

    def _begin_at(self, topic: Topic, query: ReplayFilter) -> datetime | None:
        bookmark = self._bookmarks.get((topic, query.after_seq))
        instants = [query.since, bookmark - self._late if bookmark else None]
        return max((instant for instant in instants if instant is not None), default=None)

    async def _bounds(
        self, reader: AIOKafkaConsumer, partitions: list[TopicPartition], since: datetime | None, query: ReplayFilter
    ) -> tuple[Offsets, Offsets]:
        """Between which offsets the events lie that the filter's instants let through."""
        first, end = dict(await reader.beginning_offsets(partitions)), dict(await reader.end_offsets(partitions))
        if query.until is not None:
            end = await offsets_at(reader, partitions, query.until + self._late, end)
        if since is not None:
            first = await offsets_at(reader, partitions, since, end)
        return first, end

    async def _read_oldest(
        self,
        reader: AIOKafkaConsumer,
        partitions: list[TopicPartition],
        page: Page,
        since: datetime | None,
        query: ReplayFilter,
    ) -> None:
        first, end = await self._bounds(reader, partitions, since, query)
        enough: set[TopicPartition] = set()
        async for partition, records in scan(reader, first, end, enough):
            self._offer(records, page, query)
            if page.is_full and records[-1].timestamp > milliseconds(page.latest + self._late):
                enough.add(partition)

    async def _read_newest(
        self,
        reader: AIOKafkaConsumer,
        partitions: list[TopicPartition],
        page: Page,
        since: datetime | None,
        query: ReplayFilter,
    ) -> None:
        """Read the partitions from their ends, further back each time, until nothing newer can lie before."""
        first, end = await self._bounds(reader, partitions, since, query)
        window = _FIRST_WINDOW
        while any(end[partition] > first[partition] for partition in end):
            start = {partition: max(first[partition], end[partition] - window) for partition in end}
            oldest: dict[TopicPartition, int] = {}
            async for partition, records in scan(reader, start, end, set()):
                oldest.setdefault(partition, records[0].timestamp)
                self._offer(records, page, query)
            if page.is_full:
                enough = milliseconds(page.earliest - self._late)
                start = {
                    partition: first[partition] if oldest.get(partition, enough) < enough else offset
                    for partition, offset in start.items()
                }
            end = start
            window *= 8

    def _offer(self, records: Records, page: Page, query: ReplayFilter) -> None:
        since = milliseconds(query.since) if query.since else None
        until = milliseconds(query.until) if query.until else None
        for record in records:
            if (since is not None and record.timestamp < since) or (until is not None and record.timestamp > until):
                continue
            if query.after_seq and 0 < seq_of(record) <= query.after_seq:
                continue
            event = self._decoder.decode(record)
            if event is not None:
                page.offer(event)
