"""One partition as one subscriber reads it: a task that opens it, reads, and opens it again when that fails."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

import pulsar
import structlog
from pulsar.asyncio import Client, Consumer, PulsarException, Reader

from ringforge_eventbus_pulsar.connection import closed, opened

FIRST_DELAY, LONGEST_DELAY = 0.1, 5.0
AHEAD = 500
"""Messages that a partition's reader may fetch before they are asked for."""
AHEAD_IN_GROUP = 50
"""The same for a member of a group: what it fetched waits for it, and no other member gets it."""

NUDGE_SECONDS = 3.0
"""How long a member of a group has nothing to do before it asks whether there is something."""

Take = Callable[["Source", pulsar.Message], Awaitable[None]]

log = structlog.get_logger(__name__)


class Source(ABC):
    """`take` is called with every message; the partition is not read on before it returns."""

    acknowledges: ClassVar[bool]
    """Whether the broker keeps account of what was handled."""

    def __init__(self, client: Client, partition: str, take: Take) -> None:
        self.partition = partition
        self._client = client
        self._take = take
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"pulsar-{self.partition}")

    async def stop(self) -> None:
        """Stop reading; what was taken may be acknowledged until `close`."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    @abstractmethod
    async def close(self) -> None: ...

    @abstractmethod
    async def open(self) -> None: ...

    @abstractmethod
    async def receive(self) -> pulsar.Message: ...

    @abstractmethod
    async def acknowledge(self, message: pulsar.Message) -> None:
        """Say that it need not come again."""

    def nudge(self) -> None:  # noqa: B027 — only a group needs it
        """Called every second or so."""

    async def _run(self) -> None:
        delay = FIRST_DELAY
        while True:
            try:
                await self.open()
                while True:
                    message = await self.receive()
                    await self._take(self, message)
                    delay = FIRST_DELAY
            except PulsarException as error:
                log.warning("pulsar_partition_unreadable", topic=self.partition, error=str(error), retry_seconds=delay)
            await self.close()
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY)


class ReaderSource(Source):
    """Reads by itself. It begins after a message that is named, not at `latest`: whoever loses the connection before the
    first message would begin at another latest one then. The broker keeps nothing of a reader that is gone."""

    acknowledges = False

    def __init__(self, client: Client, partition: str, take: Take, after: pulsar.MessageId) -> None:
        super().__init__(client, partition, take)
        self._after = after
        self._reader: Reader | None = None

    async def open(self) -> None:
        self._reader = await opened(self._client.create_reader(self.partition, self._after, receiver_queue_size=AHEAD))

    async def receive(self) -> pulsar.Message:
        assert self._reader, "opened"  # noqa: S101 — narrows the type
        message = await self._reader.read_next()
        self._after = message.message_id()
        return message

    async def acknowledge(self, message: pulsar.Message) -> None:
        """A reader has nobody to tell."""

    async def has_more(self) -> bool:
        """Whether the broker has messages that were not received yet; a partition that cannot be read has none."""
        try:
            return self._task is not None and (self._reader is None or await self._reader.has_message_available())
        except PulsarException:
            return False

    async def close(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            await closed(reader)


class GroupSource(Source):
    """Reads as a member of a group. Key_Shared gives all events of a key to one member, and to another when it is gone.

    Nothing is acknowledged negatively: the broker would bring it to the same member, after younger events of its key.
    """

    acknowledges = True

    def __init__(self, client: Client, partition: str, take: Take, group: str, *, from_first: bool) -> None:
        super().__init__(client, partition, take)
        self._group = group
        self._begin = pulsar.InitialPosition.Earliest if from_first else pulsar.InitialPosition.Latest
        self._consumer: Consumer | None = None
        self._unacknowledged = 0
        self._quiet_since = time.monotonic()

    async def open(self) -> None:
        if self._consumer is None:
            options: dict[str, Any] = {"receiver_queue_size": AHEAD_IN_GROUP, "initial_position": self._begin}
            self._consumer = await opened(
                self._client.subscribe(self.partition, self._group, pulsar.ConsumerType.KeyShared, **options)
            )

    async def receive(self) -> pulsar.Message:
        assert self._consumer, "opened"  # noqa: S101 — narrows the type
        message = await self._consumer.receive()
        self._unacknowledged += 1
        return message

    async def acknowledge(self, message: pulsar.Message) -> None:
        self._unacknowledged -= 1
        self._quiet_since = time.monotonic()
        if self._consumer is not None:
            await self._consumer.acknowledge(message)

    def nudge(self) -> None:
        """Ask for what another member left: a broker may forget to hand it on until somebody publishes or asks (4.0.7 does,
        see apache/pulsar#23845). Nothing comes twice by it, as this member has nothing that is not acknowledged."""
        quiet = time.monotonic() - self._quiet_since
        if self._consumer is not None and not self._unacknowledged and quiet >= NUDGE_SECONDS:
            self._consumer.redeliver_unacknowledged_messages()
            self._quiet_since = time.monotonic()

    async def close(self) -> None:
        self._unacknowledged = 0
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await closed(consumer)
