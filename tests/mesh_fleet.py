"""A fleet on a running hub, for tests that speak as its agents."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

from ringforge_core.identity import Bootstrap
from ringforge_core.testkit.hub_process import HubProcess
from ringforge_core.testkit.phoenix_client import PhoenixClient


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
