"""The contract's room about what goes wrong: a broker that is away, a stranger's record, and events of a megabyte."""

# ruff: noqa: S101 — asserts are what a test suite is made of

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Sequence
from datetime import timedelta

import msgspec
import pytest

from ringforge_core.errors import Unavailable
from ringforge_core.ports.event_bus import Event, EventBus, ReplayFilter, Topic
from ringforge_core.testkit.event_bus_base import Broker, BusContract, Poison
from ringforge_core.testkit.event_bus_events import (
    Collector,
    PublishDurably,
    ids,
    new_event,
    new_events,
    new_topic,
    numbered,
)

OUTAGE_SECONDS = float(os.environ.get("RINGFORGE_TEST_OUTAGE_SECONDS", "4"))
"""How long the broker stays away; the promise is 30 s, which the variable asks for."""
RETURN_SECONDS = 60.0


class FaultContract(BusContract):
    async def test_nothing_is_lost_while_the_broker_is_away(self, bus: EventBus, broker: Broker) -> None:
        """Events are published on and on, as the relay does: in order, the same ones again after an error."""
        topic = new_topic()
        await bus.ensure_topic(topic, retention=timedelta(hours=1), partitions=3)
        collector, relay = Collector(topic), Relay(bus, topic)
        await bus.subscribe(collector)
        relaying = asyncio.create_task(relay.run())
        await collector.wait_for(100, seconds=self.seconds)
        await broker.stop()
        taken = len(relay.taken)
        await asyncio.sleep(OUTAGE_SECONDS)
        assert len(relay.taken) == taken, "events were taken while there was no broker"
        assert relay.refusals, "publish neither returned nor told that the broker is away"
        await broker.start()
        async with asyncio.timeout(RETURN_SECONDS):
            while len(relay.taken) < taken + 100:  # noqa: ASYNC110 — as any caller, the relay tells nobody
                await asyncio.sleep(0.05)
        relay.ended.set()
        await relaying
        self.assert_in_order(await collector.wait_for(len(relay.taken), seconds=RETURN_SECONDS), relay.taken)
        page = await bus.replay(topic, ReplayFilter(limit=100_000))
        assert ids(page.events) == ids(relay.taken)

    async def test_a_publish_without_a_broker_says_so(self, bus: EventBus, broker: Broker) -> None:
        topic = new_topic()
        await bus.ensure_topic(topic, retention=timedelta(hours=1))
        await broker.stop()
        try:
            for call in (
                bus.publish(numbered([new_event(topic)])),
                bus.replay(topic, ReplayFilter()),
                bus.ensure_topic(new_topic(), retention=timedelta(hours=1)),
            ):
                with pytest.raises(Unavailable) as refusal:
                    await asyncio.wait_for(call, 3 * self.seconds)
                assert refusal.value.fix
        finally:
            await broker.start()

    async def test_what_is_no_event_is_passed_over(
        self, bus: EventBus, poison: Poison, publish_durably: PublishDurably
    ) -> None:
        topic = new_topic()
        await bus.ensure_topic(topic, retention=timedelta(hours=1))
        collector = Collector(topic)
        await bus.subscribe(collector)
        before = await publish_durably(new_events(topic, 3))
        await poison(topic)
        after = await publish_durably(new_events(topic, 3))
        assert await collector.wait_for(6, seconds=self.seconds) == ids([*before, *after])
        assert ids((await bus.replay(topic, ReplayFilter())).events) == ids([*before, *after])
        assert bus.load().skipped

    async def test_an_event_of_a_megabyte_passes(self, bus: EventBus, publish_durably: PublishDurably) -> None:
        topic = new_topic()
        collector = Collector(topic)
        await bus.subscribe(collector)
        text = random.Random(1).randbytes(524_288).hex()  # noqa: S311 — only hard to compress
        body = msgspec.Raw(msgspec.json.encode({"payload": text}))
        sent = await publish_durably([new_event(topic), new_event(topic, body=body), new_event(topic)])
        await collector.wait_for(3, seconds=self.seconds)
        (large,) = [event for event in collector.events if event.event_id == sent[1].event_id]
        assert msgspec.json.decode(large.body) == {"payload": text}
        assert ids((await bus.replay(topic, ReplayFilter())).events) == ids(sent)


class Relay:
    """Publishes events of several keys until it is told to end, and each until the bus has taken it."""

    def __init__(self, bus: EventBus, topic: Topic) -> None:
        self.taken: list[Event] = []
        self.refusals = 0
        self.ended = asyncio.Event()
        self._bus = bus
        self._topic = topic

    async def run(self) -> None:
        number = 0
        while not self.ended.is_set():
            events = numbered([new_event(self._topic, key=f"key-{n % 5}") for n in range(10)], number + 1)
            number += len(events)
            await self._publish(events)
            self.taken += events
            await asyncio.sleep(0.01)

    async def _publish(self, events: Sequence[Event]) -> None:
        while True:
            try:
                return await self._bus.publish(events)
            except Unavailable:
                self.refusals += 1
                await asyncio.sleep(0.1)
