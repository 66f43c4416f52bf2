"""A whole hub inside the test's own process: as fast to start as a fixture should be, on real sockets all the same."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Literal

import uvicorn

from ringforge_core.app import Hub
from ringforge_core.config import load_config, load_plugins
from ringforge_core.identity import Bootstrap, bootstrap
from ringforge_core.plugin.manager import PluginManager
from ringforge_core.socket.server import new_event_loop as new_event_loop
from ringforge_core.socket.server import serve
from ringforge_core.testkit.hub_process import free_port
from ringforge_core.testkit.migrated import migrated_sqlite

Server = Literal["raw", "asgi"]


class TestHub:
    """A running hub and its address. `keys` are those of its first tenant; `tenant()` makes another one."""

    __test__ = False  # for pytest: this is no test class

    def __init__(self, hub: Hub, port: int, keys: Bootstrap) -> None:
        self.hub = hub
        self.keys = keys
        self._port = port
        self.http_url = f"http://127.0.0.1:{port}"
        self.websocket_url = f"ws://127.0.0.1:{port}"

    async def tenant(self, name: str) -> Bootstrap:
        """A tenant of this name, with fresh keys."""
        return await bootstrap(self.hub.store, tenant=name)

    def with_keys(self, keys: Bootstrap) -> TestHub:
        """The same hub, seen by another tenant."""
        return TestHub(self.hub, self._port, keys)


@asynccontextmanager
async def running_hub(
    directory: Path, *, server: Server = "raw", settings: Mapping[str, str] | None = None
) -> AsyncIterator[TestHub]:
    """Run a hub with `RINGFORGE__…` settings: under our own server, or under uvicorn as any ASGI application."""
    file = directory / "hub.db"
    environment = {
        "RINGFORGE__HUB__DATA_DIRECTORY": str(directory),
        "RINGFORGE__HUB__NODE": "node-1",
        "RINGFORGE__STORE__URL": f"sqlite:///{file}",
        **(settings or {}),
    }
    config = load_config(None, environment)
    plugins = load_plugins(config, _installed(tuple(sys.path)), environment)
    if config.store.url == f"sqlite:///{file}":
        migrated_sqlite(plugins.migrations, file)
    hub = Hub(config, plugins)
    async with hub.running():
        keys = hub.first_start or await bootstrap(hub.store)
        port = free_port()
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            started = asyncio.Event()
            if server == "raw":
                tasks.create_task(_serve_raw(hub, port, started, stop))
            else:
                tasks.create_task(_serve_asgi(hub, port, started, stop))
            await started.wait()
            try:
                yield TestHub(hub, port, keys)
            finally:
                stop.set()


@cache
def _installed(path: tuple[str, ...]) -> PluginManager:
    """Finds the plugins on this `sys.path` once: to read the metadata of every distribution takes 15 ms."""
    return PluginManager()


async def _serve_raw(hub: Hub, port: int, started: asyncio.Event, stop: asyncio.Event) -> None:
    await serve(
        hub.application(runs_hub=False), host="127.0.0.1", port=port, stop=stop, grace=2,
        on_started=lambda host, port: started.set(), before_shutdown=lambda: hub.gateway.drain(seconds=2),
    )  # fmt: skip


async def _serve_asgi(hub: Hub, port: int, started: asyncio.Event, stop: asyncio.Event) -> None:
    config = uvicorn.Config(
        hub.application(runs_hub=False), host="127.0.0.1", port=port, ws="websockets-sansio", lifespan="on",
        log_config=None, log_level="info", access_log=False, timeout_graceful_shutdown=2,
    )  # fmt: skip
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    while not server.started:
        if serving.done():
            serving.result()
        await asyncio.sleep(0.005)
    started.set()
    await stop.wait()
    await hub.gateway.drain(seconds=2)
    server.should_exit = True
    await serving
