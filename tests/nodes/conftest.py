"""Two hubs of one test process on one PostgreSQL, and agents at each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from ringforge_core.identity import Bootstrap
from ringforge_core.testkit.hub import TestHub, running_hub
from ringforge_core.testkit.phoenix_client import PhoenixClient
from ringforge_core.testkit.postgres import PostgresServer


class TwoHubs:
    """Both serve the first tenant of `here`."""

    def __init__(self, here: TestHub, there: TestHub, stack: AsyncExitStack) -> None:
        self.here = here
        self.there = there
        self.keys: Bootstrap = here.keys
        self._stack = stack

    async def connect(self, hub: TestHub, name: str, **fields: Any) -> PhoenixClient:
        """An agent of this name at this hub, not joined yet."""
        client = PhoenixClient(hub.websocket_url, api_key=self.keys.agent_key, agent={"name": name, **fields})
        return await self._stack.enter_async_context(client)

    async def join(self, hub: TestHub, name: str, payload: Any = None) -> PhoenixClient:
        client = await self.connect(hub, name)
        client.joined = await client.join(payload)  # type: ignore[attr-defined]  # what tests look up: ids, seq
        return client


@pytest.fixture
async def database(postgres: PostgresServer) -> str:
    return await postgres.new_database()


@pytest.fixture
async def hubs(database: str, tmp_path: Path) -> AsyncIterator[TwoHubs]:
    def settings(node: str) -> dict[str, str]:
        return {
            "RINGFORGE__STORE__URL": database,
            "RINGFORGE__HUB__NODE": node,
            "RINGFORGE__CAPABILITIES__PRESENCE__LEAVE_AFTER_SECONDS": "0.2",
        }

    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(running_hub(tmp_path / "here", settings=settings("here")))
        there = await stack.enter_async_context(running_hub(tmp_path / "there", settings=settings("there")))
        agents = await stack.enter_async_context(AsyncExitStack())
        yield TwoHubs(here, there, agents)
