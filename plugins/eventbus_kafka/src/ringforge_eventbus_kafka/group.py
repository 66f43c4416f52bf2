"""A subscriber that shares the events with its group: Kafka gives each member some of the partitions.

What was handled is committed after each call of the handler. While Kafka hands partitions around, a member first ends the
call that is running, so no event is in two members' hands; what was polled but not begun is left to whom it goes to next.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from ringforge_core.ports.event_bus import Event, Handler
from ringforge_eventbus_kafka.delivery import BATCH, POLL_MILLISECONDS, Delivery
from ringforge_eventbus_kafka.failures import translated
from ringforge_eventbus_kafka.records import Decoder, decode_in_order
from ringforge_eventbus_kafka.settings import KafkaEventBusSettings
from ringforge_eventbus_kafka.topics import PREFIX, partitions_of

_JOIN_SECONDS = 30.0
_HEARTBEATS = 20
"""A session. A member learns of a rebalance by its heartbeat, and nothing is handled meanwhile."""
_REBALANCE_MILLISECONDS = 60_000
"""How long Kafka waits for members to end their calls before it goes on without them."""

log = structlog.get_logger(__name__)


class GroupMember(Delivery):
    def __init__(
        self,
        handler: Handler,
        on_end: Callable[[Delivery], None],
        group: str,
        names: frozenset[str],
        decoder: Decoder,
        settings: KafkaEventBusSettings,
        options: dict[str, Any],
    ) -> None:
        super().__init__(handler, on_end)
        self._group = f"{PREFIX}{group}"
        self._names = names
        self._decoder = decoder
        self._options = options
        self._handled: dict[TopicPartition, int] = {}
        self._polled: dict[TopicPartition, int] = {}
        self._assignments = 0
        self._polled_under = 0
        self._handling = asyncio.Lock()
        self._joined = asyncio.Event()
        session = int(settings.session_seconds * 1000)
        self._consumer = AIOKafkaConsumer(
            **(options | {"metadata_max_age_ms": int(settings.topic_refresh_seconds * 1000)}),
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=session,
            heartbeat_interval_ms=session // _HEARTBEATS,
            rebalance_timeout_ms=max(session, _REBALANCE_MILLISECONDS),
        )

    async def start(self, topics: Mapping[str, int]) -> None:
        """Join; a group that is new begins at the ends of these topics, by the number of their partitions."""
        there = partitions_of(topics, self._names)
        with translated(f"join the group {self._group}"):
            if there:
                await self._begin_group(there)
            await self._consumer.start()
            self._consumer.subscribe(pattern=_pattern(self._names), listener=_Rebalance(self))
            if there:
                async with asyncio.timeout(_JOIN_SECONDS):
                    await self._joined.wait()
        self.run()

    @property
    def lag(self) -> int:
        assigned = self._consumer.assignment()
        return sum(
            max(0, (self._consumer.highwater(partition) or 0) - handled)
            for partition, handled in self._handled.items()
            if partition in assigned
        )

    async def hand_over(self) -> None:
        """Kafka gives our partitions to others: end the call that runs, and begin no more of what was polled."""
        async with self._handling:
            self._assignments += 1
            self._handled.clear()

    def take_over(self) -> None:
        self._joined.set()

    async def _begin_group(self, there: list[TopicPartition]) -> None:
        """Commit the ends for a group that Kafka knows nothing of, so that it sees what comes from now on."""
        consumer = AIOKafkaConsumer(**self._options, group_id=self._group, enable_auto_commit=False)
        await consumer.start()
        try:
            consumer.assign(there)
            committed = await asyncio.gather(*(consumer.committed(partition) for partition in there))
            if all(offset is None for offset in committed):
                await consumer.commit(dict(await consumer.end_offsets(there)))
        except CommitFailedError:
            pass  # the group has members, so it has begun
        finally:
            await consumer.stop()

    async def _step(self) -> None:
        batches = await self._consumer.getmany(timeout_ms=POLL_MILLISECONDS, max_records=BATCH)
        self._polled_under = self._assignments
        if not batches:
            return
        self._polled = {partition: records[-1].offset + 1 for partition, records in batches.items()}
        await self._deliver(decode_in_order(batches, self._decoder))

    async def _attempt(self, events: Sequence[Event]) -> None:
        async with self._handling:
            if self._polled_under != self._assignments:
                return  # they come again, to whom they belong now
            if events:
                await self._handler(events)
            self._handled |= self._polled
            await self._commit(self._polled)

    async def _commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        try:
            await self._consumer.commit(dict(offsets))
        except (KafkaError, IllegalStateError) as error:
            log.warning("kafka_commit_failed", group=self._group, error=f"{type(error).__name__} {error}")

    async def _close(self) -> None:
        await self._consumer.stop()


class _Rebalance(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    def __init__(self, member: GroupMember) -> None:
        self._member = member

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        await self._member.hand_over()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._member.take_over()


def _pattern(names: frozenset[str]) -> str:
    wanted = "|".join(re.escape(name) for name in sorted(names)) or "[^.]+"
    return rf"^{re.escape(PREFIX)}[^.]+\.({wanted})$"
