"""Where a subscriber begins to read: after the end of what is there, and at the first message of what comes later."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

import pulsar
from pulsar.asyncio import Client

from ringforge_eventbus_pulsar.connection import translated
from ringforge_eventbus_pulsar.source import GroupSource, ReaderSource, Source, Take
from ringforge_eventbus_pulsar.topics import Topics


class Sources(Protocol):
    async def from_now(self, partitions: Sequence[str], take: Take) -> list[Source]:
        """Returns when what is published from now on cannot be missed."""

    def from_first(self, partition: str, take: Take) -> Source: ...


class ReaderSources:
    """For a subscriber of its own. The ends are asked for now; the readers may connect later."""

    def __init__(self, client: Client, topics: Topics) -> None:
        self._client = client
        self._topics = topics

    async def from_now(self, partitions: Sequence[str], take: Take) -> list[Source]:
        ends = await asyncio.gather(*(self._topics.end_of(partition) for partition in partitions))
        return [
            ReaderSource(self._client, partition, take, pulsar.MessageId(-1, *end))
            for partition, end in zip(partitions, ends, strict=True)
            if end is not None
        ]

    def from_first(self, partition: str, take: Take) -> Source:
        return ReaderSource(self._client, partition, take, pulsar.MessageId.earliest)


class GroupSources:
    """For a member of a group. The broker notes where the group is, so its consumers must be there first."""

    def __init__(self, client: Client, group: str) -> None:
        self._client = client
        self._group = group

    async def from_now(self, partitions: Sequence[str], take: Take) -> list[Source]:
        sources = [GroupSource(self._client, each, take, self._group, from_first=False) for each in partitions]
        with translated("subscribe to Pulsar"):
            await asyncio.gather(*(source.open() for source in sources))
        return list(sources)

    def from_first(self, partition: str, take: Take) -> Source:
        return GroupSource(self._client, partition, take, self._group, from_first=True)
