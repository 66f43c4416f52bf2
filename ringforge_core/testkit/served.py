"""A peer that a test plays itself: an application on a port of the loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from litestar import Litestar

from ringforge_core.testkit.hub_process import free_port

DEADLINE = 20.0


@asynccontextmanager
async def served(application: Litestar, port: int | None = None) -> AsyncIterator[str]:
    """The URL of the application while it runs. Raises `TimeoutError` when it does not start."""
    port = port or free_port()
    config = uvicorn.Config(application, host="127.0.0.1", port=port, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    try:
        async with asyncio.timeout(DEADLINE):
            while not server.started:  # noqa: ASYNC110 — uvicorn has no event for it
                await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving
