"""A fleet whose agents make groups, for tests that speak as them."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

from ringforge_core.identity import Bootstrap
from ringforge_core.ports.store import Store
from ringforge_core.testkit.hub import TestHub
from ringforge_core.testkit.phoenix_client import Message, PhoenixClient


class GroupAgent:
    """One connection of an agent that has joined."""

    def __init__(self, client: PhoenixClient, joined: dict[str, Any]) -> None:
        self.client = client
        self.joined = joined
        self.id: str = joined["agent_id"]

    async def ok(self, event: str, **fields: Any) -> Any:
        return await self.client.ok(f"group:{event}", fields)

    async def refused(self, event: str, **fields: Any) -> str:
        """The reason."""
        reason: str = (await self.client.refused(f"group:{event}", fields))["reason"]
        return reason

    async def create(self, name: str, **fields: Any) -> str:
        group_id: str = (await self.ok("create", name=name, **fields))["group_id"]
        return group_id

    async def say(self, group_id: str, message: Any) -> None:
        await self.ok("message", group_id=group_id, message=message)

    async def told(self, event: str, **fields: Any) -> dict[str, Any]:
        """Wait for the push of a group's event that has these fields; returns all of its fields."""

        def matches(message: Message) -> bool:
            return message.event == f"group:{event}" and fields.items() <= message.payload["payload"].items()

        payload: dict[str, Any] = (await self.client.expect(matches)).payload["payload"]
        return payload

    def heard(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        """All pushes of a group's event so far that have these fields."""
        pushed = (push["payload"] for push in self.client.pushes(f"group:{event}"))
        return [payload for payload in pushed if fields.items() <= payload.items()]

    def messages(self) -> list[Any]:
        """The contents of all messages that came."""
        return [payload["message"] for payload in self.heard("message")]

    async def roles(self, group_id: str) -> dict[str, str]:
        """The members by id, who is longest in the group first, with their roles."""
        reply = await self.ok("members", group_id=group_id)
        return {member["agent_id"]: member["role"] for member in reply["members"]}


class GroupFleet:
    """A fleet with its keys; the agents that a test connects are disconnected after it."""

    def __init__(self, hub: TestHub, keys: Bootstrap, stack: AsyncExitStack) -> None:
        self.hub = hub
        self.keys = keys
        self._stack = stack

    @property
    def store(self) -> Store:
        return self.hub.hub.store

    def socket(self, name: str) -> PhoenixClient:
        """A socket of the agent of this name; not connected yet."""
        return PhoenixClient(self.hub.websocket_url, api_key=self.keys.agent_key, agent={"name": name})

    async def join(self, name: str, payload: dict[str, Any] | None = None) -> GroupAgent:
        """The agent of this name in the lobby, for as long as the test runs."""
        client = await self._stack.enter_async_context(self.socket(name))
        return await enter(client, payload)

    async def joined_and_gone(self, name: str) -> str:
        """The id of an agent that was here."""
        async with self.socket(name) as client:
            return (await enter(client)).id


async def enter(client: PhoenixClient, payload: dict[str, Any] | None = None) -> GroupAgent:
    joined = await client.join(payload or {})
    await client.expect_push("presence:roster")
    return GroupAgent(client, joined)


async def settled(*agents: GroupAgent) -> None:
    """Everything that was pushed before has come: what is sent to the whole fleet comes in order."""
    marker = (await agents[0].ok("create", name="settled"))["group_id"]
    await agents[0].ok("dissolve", group_id=marker)
    for agent in agents:
        await agent.told("dissolved", group_id=marker)
