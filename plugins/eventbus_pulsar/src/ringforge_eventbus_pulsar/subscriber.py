"""One subscriber, or one member of a group: the partitions that it reads, and the handler that it reads them for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pulsar

from ringforge_core.ports.event_bus import Handler, Subscription
from ringforge_eventbus_pulsar.delivery import Arrived, Delivery
from ringforge_eventbus_pulsar.names import may_hold
from ringforge_eventbus_pulsar.record import Decoder
from ringforge_eventbus_pulsar.source import ReaderSource, Source
from ringforge_eventbus_pulsar.subscribing import Sources

_LOOK_AGAIN = 0.01


class Subscriber(Subscription):
    """`begin` reads what there is now, from its end on; `found` and `only` are told what appears and vanishes later."""

    def __init__(
        self,
        handler: Handler,
        topics: frozenset[str],
        *,
        sources: Sources,
        decoder: Decoder,
        buffer_size: int,
        on_cancel: Callable[[Subscriber], None],
    ) -> None:
        self._topics = topics
        self._making = sources
        self._decoder = decoder
        self._on_cancel = on_cancel
        self._sources: dict[str, Source] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._cancelled = False
        self._delivery = Delivery(handler, buffer_size)

    def backlog(self) -> int:
        return self._delivery.backlog()

    async def begin(self, partitions: Sequence[str]) -> None:
        """Returns when no event can be missed any more. Raises `Unavailable` when the broker does not answer."""
        wanted = [partition for partition in partitions if may_hold(partition, self._topics)]
        for source in await self._making.from_now(wanted, self.take):
            self._read(source)

    def found(self, partitions: Sequence[str]) -> None:
        """These are there; new ones are read from their first message on."""
        for partition in partitions:
            if partition not in self._sources and may_hold(partition, self._topics) and not self._cancelled:
                self._read(self._making.from_first(partition, self.take))

    def _read(self, source: Source) -> None:
        self._sources[source.partition] = source
        source.start()

    def only(self, partitions: set[str]) -> None:
        """The others are gone."""
        for partition in self._sources.keys() - partitions:
            leaving = asyncio.create_task(_leave(self._sources.pop(partition)), name="pulsar-leave")
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)

    def nudge(self) -> None:
        for source in self._sources.values():
            source.nudge()

    async def take(self, source: Source, message: pulsar.Message) -> None:
        event = self._decoder.decode(message)
        if event is None or (self._topics and event.topic not in self._topics):
            await source.acknowledge(message)
        else:
            await self._delivery.put(Arrived(event, message, source.acknowledge if source.acknowledges else None))

    async def drained(self) -> None:
        """Returns when everything that the broker had for it is handled. A group's rest is for its other members."""
        quiet = 0
        while quiet < 2:  # twice: a message may be on its way from the client to the buffer
            await asyncio.sleep(_LOOK_AGAIN)
            readers = [source for source in self._sources.values() if isinstance(source, ReaderSource)]
            more = any([await reader.has_more() for reader in readers])
            quiet = 0 if more or self.backlog() else quiet + 1

    async def cancel(self) -> None:
        if not self._cancelled:
            self._cancelled = True
            self._on_cancel(self)
            await asyncio.gather(*(source.stop() for source in self._sources.values()))
        await self._delivery.end()
        await asyncio.gather(*(source.close() for source in self._sources.values()), *self._leaving)

    async def abort(self) -> None:
        """As `cancel`, but a running call of the handler is cancelled too."""
        self._delivery.abort()
        await self.cancel()


async def _leave(source: Source) -> None:
    await source.stop()
    await source.close()
