"""A real hub for the capabilities of the mesh, and on it a fresh tenant with a fleet for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from ringforge_core.identity import Bootstrap, bootstrap
from ringforge_core.store import SqlStore
from ringforge_core.testkit.hub_process import HubProcess
from ringforge_core.testkit.phoenix_client import PhoenixClient

LEAVE_AFTER = "0.3"


class Fleet:
    """A fleet of its own tenant; the agents that a test connects are disconnected after it."""

    def __init__(self, hub: HubProcess, keys: Bootstrap, stack: AsyncExitStack) -> None:
        self.hub = hub
        self.keys = keys
        self._stack = stack

    async def connect(self, name: str | None) -> PhoenixClient:
        """A socket of the agent of this name, not joined yet."""
        agent = {} if name is None else {"name": name}
        client = PhoenixClient(self.hub.websocket_url, api_key=self.keys.agent_key, agent=agent)
        return await self._stack.enter_async_context(client)

    async def join(self, name: str, payload: dict[str, Any] | None = None) -> tuple[PhoenixClient, str]:
        """The agent of this name in the lobby, its roster received, and its id."""
        client = await self.connect(name)
        reply = await client.join({"payload": payload or {}})
        await client.expect_push("presence:roster")
        return client, reply["agent_id"]


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
