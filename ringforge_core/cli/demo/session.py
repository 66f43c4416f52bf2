"""The demo itself: a hub in this process, its agents over real sockets, and somebody who watches."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
from collections.abc import AsyncIterator, Coroutine, Iterable
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ringforge_core.app import Hub, serve_hub
from ringforge_core.cli.demo.roles import FEATURES, ROLES, Role
from ringforge_core.cli.demo.view import Lines, LiveScreen
from ringforge_core.config import Config, HubSettings, load_plugins
from ringforge_core.identity import Bootstrap
from ringforge_core.logs import configure_logs
from ringforge_core.plugin.manager import PluginManager
from ringforge_core.store import StoreSettings

if TYPE_CHECKING:
    from ringforge import Agent

WATCHER = "you"


async def show_demo(agent_type: type[Agent], *, seconds: float | None, pace: float) -> None:
    """Returns after `seconds`, or when the hub was told to stop.

    `agent_type` is the SDK's `Agent`, handed in because core can be imported without the SDK.
    """
    configure_logs("error", "human")
    with tempfile.TemporaryDirectory(prefix="ringforge-demo-") as directory:
        async with _hub(Path(directory)) as (url, access, serving), contextlib.AsyncExitStack() as stack:
            # The hub is gone in a moment: key files would only be left behind.
            watcher, *agents = (
                agent_type(url, api_key=access.agent_key, name=name, framework=framework, key_directory=None)
                for name, framework in [(WATCHER, "ringforge demo"), *((role.name, role.framework) for role in ROLES)]
            )
            for agent in (watcher, *agents):
                await stack.enter_async_context(agent)
            view = LiveScreen(watcher, url) if sys.stdout.isatty() else Lines(watcher, url)
            view.begin()
            stack.callback(view.end)
            work = [_play(agent, role, pace) for agent, role in zip(agents, ROLES, strict=True)]
            await _until_one_ends(serving, [*view.watching(), *work], seconds)


async def _play(agent: Agent, role: Role, pace: float) -> None:
    """The first begins, every other waits for its turn; who is done hands the turn on by telling so."""
    features = cycle(FEATURES)
    with agent.activity.stream() as heard:
        if role is ROLES[0]:
            await _work(agent, role, next(features), pace)
        async for event in heard:
            if event.sender.name == role.after and event.kind == "task_completed":
                await _work(agent, role, next(features), pace)


async def _work(agent: Agent, role: Role, feature: str, pace: float) -> None:
    await agent.presence.update(state="busy", task=role.busy_with.format(feature), load=0.8)
    for kind, text in role.steps:
        await asyncio.sleep(pace)
        said = text.format(feature)
        await agent.activity.broadcast(kind, said[0].upper() + said[1:], tags=["demo"])
    await agent.presence.update(state="online", task=None, load=0.1)


async def _until_one_ends(
    serving: asyncio.Task[None], work: Iterable[Coroutine[None, None, None]], seconds: float | None
) -> None:
    """Raises what the first of them failed with; none is left running but the hub."""
    tasks = {asyncio.create_task(one) for one in work}
    try:
        ended, _ = await asyncio.wait({serving, *tasks}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


@contextlib.asynccontextmanager
async def _hub(directory: Path) -> AsyncIterator[tuple[str, Bootstrap, asyncio.Task[None]]]:
    """A fresh hub on a free port: its URL, its keys, and the task that ends when it was told to stop."""
    config = Config(
        hub=HubSettings(listen="127.0.0.1:0", data_directory=directory, drain_seconds=0),
        store=StoreSettings(url=f"sqlite:///{directory}/hub.db"),
    )
    plugins = load_plugins(config, PluginManager(), {})
    started: asyncio.Future[tuple[str, Bootstrap]] = asyncio.get_running_loop().create_future()

    def on_started(hub: Hub, url: str) -> None:
        assert hub.first_start is not None  # noqa: S101 — its directory is empty
        started.set_result((url.replace("http", "ws", 1), hub.first_start))

    serving = asyncio.create_task(serve_hub(config, plugins, on_started=on_started))
    try:
        first: set[asyncio.Future[Any]] = {serving, started}
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()  # raises why it did not start
        url, access = started.result()
        yield url, access, serving
    finally:
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving
