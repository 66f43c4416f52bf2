"""Create, change, list and drop topics."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code

from ringforge_eventbus_kafka.failures import translated
from ringforge_eventbus_kafka.layout import topic_settings
from ringforge_eventbus_kafka.settings import KafkaEventBusSettings

PREFIX = "ringforge."
_SET_ON_THE_TOPIC = 1
"""Kafka's code for a setting that was made on the topic itself, not the broker's default."""

_NEWS_SECONDS = (0.05, 0.1, 0.2, 0.4)
"""A broker may not have heard yet of a topic that was just made: how long to wait before it is asked again."""


class Topics:
    """`partitions` is what this node knows: how many partitions each topic of ours has; `on_change` is called with it."""

    def __init__(
        self, settings: KafkaEventBusSettings, options: dict[str, Any], on_change: Callable[[Mapping[str, int]], None]
    ) -> None:
        self._settings = settings
        self._options = options
        self._on_change = on_change
        self._creating = asyncio.Lock()
        self._admin: AIOKafkaAdminClient | None = None
        self.partitions: Mapping[str, int] = {}

    async def start(self) -> None:
        admin = AIOKafkaAdminClient(**self._options)
        with translated("connect"):
            try:
                await admin.start()
            except BaseException:
                await admin.close()
                raise
        self._admin = admin
        await self.refresh()

    async def stop(self) -> None:
        if self._admin is not None:
            await self._admin.close()

    async def refresh(self) -> None:
        """Learn what topics there are now."""
        with translated("list the topics"):
            described = await self._client.describe_topics()
        ours = (topic for topic in described if topic["topic"].startswith(PREFIX))
        self._learn({topic["topic"]: len(topic["partitions"]) for topic in ours})

    async def ensure(self, name: str, *, retention: timedelta, partitions: int, compacted: bool) -> None:
        """Create the topic, or bring its settings up to date; an existing one keeps its partitions."""
        wanted = topic_settings(self._settings, retention, compacted=compacted)
        if not await self._create(name, partitions, wanted):
            await self._change(name, wanted)

    async def ensure_known(self, names: Iterable[str]) -> None:
        """Create those of the topics that this node never heard of, laid out by the settings' defaults."""
        missing = set(names) - self.partitions.keys()
        if not missing:
            return
        async with self._creating:
            retention = timedelta(days=self._settings.default_retention_days)
            for name in missing - self.partitions.keys():
                wanted = topic_settings(self._settings, retention, compacted=False)
                await self._create(name, self._settings.default_partitions, wanted)

    async def drop(self, name: str) -> None:
        with translated(f"drop {name}"):
            answer = await self._client.delete_topics([name])
            error = for_code(answer.topic_error_codes[0][1])
            if error not in (for_code(0), UnknownTopicOrPartitionError):
                raise error()
        self._learn({known: count for known, count in self.partitions.items() if known != name})

    async def delete_records(self, before: Mapping[TopicPartition, int]) -> None:
        """Let Kafka forget what lies before these offsets."""
        if before:
            with translated("delete records"):
                await self._client.delete_records({place: RecordsToDelete(offset) for place, offset in before.items()})

    @property
    def _client(self) -> AIOKafkaAdminClient:
        if self._admin is None:
            raise ConnectionError("the event bus is not started")
        return self._admin

    async def _create(self, name: str, partitions: int, wanted: dict[str, str]) -> bool:
        """False when it exists already."""
        copies = self._settings.replication_factor
        assigned: dict[int, list[int]] | None = (
            None if copies > 0 else {}
        )  # aiokafka takes -1 only with an assignment, and Kafka an empty one for none
        topic = NewTopic(name, partitions, copies, replica_assignments=assigned, topic_configs=wanted)
        with translated(f"create {name}"):
            answer = await self._client.create_topics([topic])
            _, code, message = answer.topic_errors[0]
            error = for_code(code)
            if error is TopicAlreadyExistsError:
                if name not in self.partitions:
                    await self.refresh()
                return False
            if code:
                raise error(message)
        self._learn({**self.partitions, name: partitions})
        return True

    def _learn(self, partitions: Mapping[str, int]) -> None:
        if partitions != self.partitions:
            self.partitions = partitions
            self._on_change(partitions)

    async def _change(self, name: str, wanted: dict[str, str]) -> None:
        """Set what is not so yet. Kafka replaces all settings of a topic at once, so the operator's are sent along."""
        with translated(f"change the settings of {name}"):
            present = await self._settings_of(name)
            if wanted.items() <= present.items():
                return
            resource = ConfigResource(ConfigResourceType.TOPIC, name, configs={**present, **wanted})
            (answer,) = await self._client.alter_configs([resource])
            code, message, *_ = answer.resources[0]
            if code:
                raise for_code(code)(message)

    async def _settings_of(self, name: str) -> dict[str, str]:
        """What was set on the topic itself."""
        for pause in (*_NEWS_SECONDS, None):
            (answer,) = await self._client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
            code, message, _, _, entries = answer.resources[0]
            if pause is None or for_code(code) is not UnknownTopicOrPartitionError:
                break
            await asyncio.sleep(pause)
        if code:
            raise for_code(code)(message)
        return {entry[0]: entry[1] for entry in entries if entry[3] == _SET_ON_THE_TOPIC}


def partitions_of(topics: Mapping[str, int], names: frozenset[str]) -> list[TopicPartition]:
    """The partitions of those topics that have one of these names, or of all when no name is given."""
    return [
        TopicPartition(topic, partition)
        for topic, count in topics.items()
        if not names or topic.rpartition(".")[2] in names
        for partition in range(count)
    ]
