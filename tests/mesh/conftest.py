"""A real hub for the capabilities of the mesh, and on it a fresh tenant with a fleet for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest
import pytest_asyncio
from mesh_fleet import Fleet

from ringforge_core.identity import bootstrap
from ringforge_core.store import SqlStore
from ringforge_core.testkit.hub_process import HubProcess

LEAVE_AFTER = "0.3"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HubProcess]:
    settings = {"RINGFORGE__CAPABILITIES__PRESENCE__LEAVE_AFTER_SECONDS": LEAVE_AFTER}
    hub = HubProcess(tmp_path_factory.mktemp("hub"), settings=settings)
    await hub.start()
    yield hub
    await hub.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def store(hub: HubProcess) -> AsyncIterator[SqlStore]:
    """The running hub's database, to make tenants in."""
    store = SqlStore(f"sqlite:///{hub.directory / 'data' / 'hub.db'}")
    await store.open(exclusive=False)
    yield store
    await store.close()


@pytest_asyncio.fixture(loop_scope="module")
async def fleet(hub: HubProcess, store: SqlStore) -> AsyncIterator[Fleet]:
    async with AsyncExitStack() as stack:
        yield Fleet(hub, await bootstrap(store, tenant=str(uuid4())), stack)


@pytest_asyncio.fixture(loop_scope="module")
async def other_fleet(hub: HubProcess, store: SqlStore) -> AsyncIterator[Fleet]:
    """A fleet of another tenant on the same hub."""
    async with AsyncExitStack() as stack:
        yield Fleet(hub, await bootstrap(store, tenant=str(uuid4())), stack)
