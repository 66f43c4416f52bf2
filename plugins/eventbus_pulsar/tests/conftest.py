"""One real Apache Pulsar for all tests of a process, and buses on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from ringforge_eventbus_pulsar import PulsarEventBus, PulsarEventBusSettings

from ringforge_core.plugin import AdapterContext
from ringforge_core.testkit.pulsar import PulsarServer, pulsar_server

Running = Callable[..., AbstractAsyncContextManager[PulsarEventBus]]


@pytest.fixture(scope="session")
def pulsar() -> Iterator[PulsarServer]:
    with pulsar_server() as server:
        yield server


@asynccontextmanager
async def running_bus(server: PulsarServer, folder: Path, **settings: Any) -> AsyncIterator[PulsarEventBus]:
    """A started bus in a namespace of its own, unless `settings` name one."""
    chosen = {"namespace": f"test-{uuid4()}", **settings}
    bus = PulsarEventBus(
        PulsarEventBusSettings(service_url=server.service_url, admin_url=server.admin_url, **chosen),
        AdapterContext(data_directory=folder, store=None, node="test"),
    )
    await bus.start()
    try:
        yield bus
    finally:
        await bus.stop()


@pytest.fixture
def running(pulsar: PulsarServer, tmp_path: Path) -> Running:
    """A started bus with these settings, as a context manager."""

    def running(**settings: Any) -> AbstractAsyncContextManager[PulsarEventBus]:
        return running_bus(pulsar, tmp_path, **settings)

    return running
