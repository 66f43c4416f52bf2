"""A real Apache Pulsar for the tests of a file, and buses on it."""

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


@pytest.fixture(scope="module")
def pulsar() -> Iterator[PulsarServer]:
    with pulsar_server() as server:
        yield server


@pytest.fixture
def namespace() -> str:
    return f"test-{uuid4()}"


@pytest.fixture
def running_on(tmp_path: Path, namespace: str) -> Running:
    """A started bus on that server with these settings, as a context manager; in the test's own namespace unless named."""

    @asynccontextmanager
    async def running_on(server: PulsarServer, **settings: Any) -> AsyncIterator[PulsarEventBus]:
        urls = {"service_url": server.service_url, "admin_url": server.admin_url}
        chosen = PulsarEventBusSettings(**{**urls, "namespace": namespace, **settings})
        bus = PulsarEventBus(chosen, AdapterContext(data_directory=tmp_path, store=None, node="test"))
        await bus.start()
        try:
            yield bus
        finally:
            await bus.stop()

    return running_on


@pytest.fixture
def running(pulsar: PulsarServer, running_on: Running) -> Running:
    """The same on the file's server."""

    def running(**settings: Any) -> AbstractAsyncContextManager[PulsarEventBus]:
        return running_on(pulsar, **settings)

    return running
