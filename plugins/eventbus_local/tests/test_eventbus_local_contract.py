"""The local bus keeps the contract of the port, on a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from ringforge_eventbus_local import LocalEventBus, LocalEventBusSettings

from ringforge_core.plugin import AdapterContext
from ringforge_core.ports.event_bus import Event
from ringforge_core.ports.store import Store
from ringforge_core.testkit.event_bus import EventBusContract, PublishDurably


class TestLocalEventBus(EventBusContract):
    settings = LocalEventBusSettings(trim_seconds=0.05)
    compacts = False  # the log is the store's, from which clients resume by `seq`: it has no holes

    @pytest.fixture
    async def bus(self, store: Store, tmp_path: Path) -> AsyncIterator[LocalEventBus]:
        bus = LocalEventBus(self.settings, AdapterContext(data_directory=tmp_path, store=store, node="test"))
        await bus.start()
        yield bus
        await bus.stop()

    @pytest.fixture
    def publish_durably(self, bus: LocalEventBus, commit: PublishDurably) -> PublishDurably:
        """The log that this bus replays is the store's: commit, then publish what the commit numbered."""

        async def publish(events: Sequence[Event]) -> list[Event]:
            numbered = await commit(events)
            await bus.publish(numbered)
            return numbered

        return publish


class TestLocalEventBusWithATinyQueue(TestLocalEventBus):
    """Nearly everything overflows, and is read from the log again: the contract holds all the same."""

    settings = LocalEventBusSettings(queue_size=3, trim_seconds=0.05)
