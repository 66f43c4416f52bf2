"""Agents that write to each other, on a hub with settings of the test's own; and what its inbox still holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from mesh_fleet import Fleet

from ringforge_core.mesh.inbox.tables import entries, letters
from ringforge_core.ports.store import Store
from ringforge_core.testkit.hub import running_hub
from ringforge_core.testkit.phoenix_client import PATIENCE, PhoenixClient


@asynccontextmanager
async def direct_fleet(directory: Path, **settings: Any) -> AsyncIterator[Fleet]:
    """A fleet on a hub of its own; settings such as `store__url` or `capabilities__inbox__sweep_seconds`."""
    environment = {f"RINGFORGE__{name.upper()}": str(value) for name, value in settings.items() if value is not None}
    async with running_hub(directory, settings=environment) as hub, AsyncExitStack() as stack:
        yield Fleet(hub, hub.keys, stack)  # type: ignore[arg-type]  # it has a websocket_url, which is all that matters


async def send(client: PhoenixClient, to: str, message: Any = None, **fields: Any) -> dict[str, Any]:
    """`direct:send`; returns the reply's payload."""
    reply = await client.ok("direct:send", {"payload": {"to": to, "message": message, **fields}})
    assert (reply["type"], reply["event"]) == ("direct", "delivered")
    payload: dict[str, Any] = reply["payload"]
    return payload


def received(client: PhoenixClient) -> list[Any]:
    """The messages pushed so far."""
    return [push["payload"]["message"] for push in client.pushes("direct:message")]


async def receives(client: PhoenixClient, message: Any, *, times: int = 1) -> dict[str, Any]:
    """Wait until this message came so often; returns its last push's payload."""
    async with asyncio.timeout(PATIENCE), client._arrived:
        await client._arrived.wait_for(lambda: received(client).count(message) >= times)
    return next(p["payload"] for p in reversed(client.pushes("direct:message")) if p["payload"]["message"] == message)


def receipts(client: PhoenixClient) -> list[tuple[str, str]]:
    """The message and the status of each receipt so far."""
    return [(push["payload"]["message_id"], push["payload"]["status"]) for push in client.pushes("message:receipt")]


async def gets_receipt(client: PhoenixClient, message_id: str) -> dict[str, Any]:
    message = await client.expect(
        lambda m: m.event == "message:receipt" and m.payload["payload"]["message_id"] == message_id
    )
    payload: dict[str, Any] = message.payload["payload"]
    return payload


async def disconnect(client: PhoenixClient) -> None:
    await client.__aexit__(None, None, None)


async def eventually(condition: Callable[[], Any]) -> None:
    """Wait for what no frame tells of; `condition` may be a coroutine function."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = condition()
            if await found if asyncio.iscoroutine(found) else found:
                return
            await asyncio.sleep(0.01)


async def waiting(store: Store) -> tuple[int, int]:
    """How many rows and how many letters the inbox holds."""

    def count(connection: sa.Connection) -> tuple[int, int]:
        return tuple(  # type: ignore[return-value]  # two tables, two counts
            connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() for table in (entries, letters)
        )

    return await store.read(count)
