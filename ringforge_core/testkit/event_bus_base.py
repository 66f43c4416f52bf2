"""What all rooms of the event bus's contract share: the flags in which buses may differ, and what an adapter provides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import msgspec
import pytest

from ringforge_core.ports.event_bus import Event, EventBus, Topic
from ringforge_core.testkit.event_bus_events import PublishDurably


class Broker(Protocol):
    """A broker of the test's own: it goes away, and comes back with the same address and log."""

    async def stop(self) -> None: ...

    async def start(self) -> None: ...


class BusPlugin(msgspec.Struct, frozen=True):
    """How another process makes the same bus: the adapter's name and its table in the TOML."""

    name: str
    settings: dict[str, Any]


Poison = Callable[[Topic], Awaitable[None]]


class BusContract:
    """Flags and fixtures; the rooms inherit from it."""

    seconds = 10.0
    """How long an adapter may take to deliver."""

    ordered_across_keys = True
    """Whether a subscriber sees a fleet's events in `seq` order whatever their keys. False for a broker with several
    partitions, where only one key's events are in order: core puts the rest in order by `seq`."""

    compacts = True
    """Whether a compacted topic forgets what a newer event of the same key replaced. False where the log is the store's:
    clients resume from it by `seq`, so it may have no holes."""

    @pytest.fixture
    def publish_durably(self, bus: EventBus) -> PublishDurably:
        """Number the events as the store would, publish them, and return them numbered."""
        newest: Counter[str] = Counter()

        async def publish(events: Sequence[Event]) -> list[Event]:
            numbered = []
            for event in events:
                newest[event.fleet_id] += 1
                numbered.append(msgspec.structs.replace(event, epoch="contract", seq=newest[event.fleet_id]))
            await bus.publish(numbered)
            return numbered

        return publish

    @pytest.fixture
    def broker(self) -> Broker:
        """The broker under the bus, where a test may take it away."""
        pytest.skip("no broker that this test may stop")

    @pytest.fixture
    def bus_plugin(self) -> BusPlugin:
        """How another process joins a group of the same bus; its members are missed for at most a few seconds."""
        pytest.skip("this bus lives in one process: a crash takes all members of a group with it")

    @pytest.fixture
    def poison(self) -> Poison:
        """Puts into the topic's log what is no event, as a stranger who writes to the broker might."""
        pytest.skip("nobody else can write into this bus's log")

    def assert_in_order(self, arrived: Sequence[str], sent: Sequence[Event]) -> None:
        """All of `sent` arrived, and in order: as a whole, or within each key."""
        assert sorted(arrived) == sorted(event.event_id for event in sent)  # noqa: S101 — a test's assertion
        key_of = {event.event_id: "" if self.ordered_across_keys else event.key for event in sent}
        for key in set(key_of.values()):
            expected = [event.event_id for event in sent if key_of[event.event_id] == key]
            assert [one for one in arrived if key_of[one] == key] == expected  # noqa: S101 — as above
