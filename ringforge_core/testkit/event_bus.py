"""The contract of the port EventBus as a test suite: an adapter proves itself by a subclass and a fixture.

    class TestNatsEventBus(EventBusContract):
        @pytest.fixture
        async def bus(self):
            bus = NatsEventBus(...)
            await bus.start()
            yield bus
            await bus.stop()

In a hub every event is committed to the store and numbered before it is published. The fixture `publish_durably` stands
for that: here it only numbers. An adapter that reads the store overrides it with one that commits first, then publishes,
and returns the events as they were published. Needs pytest and pytest-asyncio in auto mode.

An adapter with a broker also gives the fixtures `broker`, `bus_plugin` and `poison` of `BusContract`, else the tests that
need them are skipped with the reason. Where buses differ there is a flag that says why: `ordered_across_keys`, `compacts`.
The bus under test forgets (`ensure_topic`) and compacts within seconds; a broker's own clock has to be set so.

    event_bus_delivery.py    who gets which events, in which order
    event_bus_groups.py      workers that share, come, go and crash
    event_bus_replay.py      the past: filters, pages, tenants
    event_bus_retention.py   forgetting: trim, drop, age, compaction
    event_bus_faults.py      a broker that is away, poison, a megabyte
    event_bus_base.py        flags and fixtures
    event_bus_events.py      topics, events, and a handler that keeps what comes
    event_bus_member.py      a process to be killed
"""

from __future__ import annotations

from ringforge_core.testkit.event_bus_base import Broker, BusPlugin, Poison
from ringforge_core.testkit.event_bus_delivery import DeliveryContract
from ringforge_core.testkit.event_bus_events import (
    Collector,
    PublishDurably,
    ids,
    new_event,
    new_events,
    new_topic,
    numbered,
)
from ringforge_core.testkit.event_bus_faults import FaultContract
from ringforge_core.testkit.event_bus_groups import GroupContract
from ringforge_core.testkit.event_bus_replay import ReplayContract
from ringforge_core.testkit.event_bus_retention import RetentionContract

__all__ = [
    "Broker",
    "BusPlugin",
    "Collector",
    "EventBusContract",
    "Poison",
    "PublishDurably",
    "ids",
    "new_event",
    "new_events",
    "new_topic",
    "numbered",
]


class EventBusContract(DeliveryContract, GroupContract, ReplayContract, RetentionContract, FaultContract):
    """Inherit, and provide the fixture `bus`. Every test uses topics of its own, so a broker may be shared."""
