"""What the SDK's tests run against: a hub, and a wire to it that can be cut.

Tests that ask for `hub` and `wire` use nothing but the protocol: they run against the fake hub and against a real one,
which must offer `port` and `api_key`. Tests that ask for `fake_hub` need a hub that misbehaves on demand.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from typing import Any
from urllib.parse import urlsplit

import pytest
import trustme
from ringforge import Agent

# The two modules beside this file are found in every way to run these tests: in the house, or with the wheel alone.
sys.path.append(str(Path(__file__).parent))

from sdk_fake_hub import FakeHub
from sdk_wire import Hub, Wire


@asynccontextmanager
async def running_fake_hub(tls: SSLContext | None = None) -> AsyncIterator[FakeHub]:
    hub = FakeHub()
    server = await hub.serve(tls)
    yield hub
    server.close()
    hub.abort_all()
    await server.wait_closed()


@pytest.fixture
async def fake_hub() -> AsyncIterator[FakeHub]:
    async with running_fake_hub() as hub:
        yield hub


@pytest.fixture
async def tls_hub() -> AsyncIterator[tuple[FakeHub, trustme.CA]]:
    authority = trustme.CA()
    server_side = SSLContext(PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server_side)
    async with running_fake_hub(server_side) as hub:
        yield hub, authority


class RealHub:
    """A whole hub in this process; `running` has its keys and can make tenants."""

    def __init__(self, running: Any) -> None:
        self.running = running
        self.port = urlsplit(running.websocket_url).port or 0
        self.api_key: str = running.keys.agent_key


@pytest.fixture
async def real_hub(tmp_path: Path) -> AsyncIterator[RealHub]:
    testkit = pytest.importorskip("ringforge_core.testkit.hub", reason="ringforge-core is not installed")
    pytest.importorskip(
        "ringforge_eventbus_local", reason="ringforge-eventbus-local, a hub's default bus, is not installed"
    )
    settings = {"RINGFORGE__LIMITS__CHALLENGES_PER_AGENT": "off"}  # these tests reconnect more often than agents do
    async with testkit.running_hub(tmp_path, settings=settings) as running:
        yield RealHub(running)


@pytest.fixture(params=["fake_hub", "real_hub"], ids=["fake", "real"])
def hub(request: pytest.FixtureRequest) -> Hub:
    """The same tests on both: what the fake hub does is held to what the real one does."""
    hub: Hub = request.getfixturevalue(request.param)
    return hub


@pytest.fixture
async def wire(hub: Hub) -> AsyncIterator[Wire]:
    async with Wire(hub) as wire:
        yield wire


@pytest.fixture
async def agent_of(hub: Hub, wire: Wire) -> AsyncIterator[Callable[..., Agent]]:
    """Makes agents whose connections go over the wire, with the API key each time; they are closed in the end."""
    made: list[Agent] = []

    def make(name: str | None = None, **options: Any) -> Agent:
        options = {"api_key": hub.api_key, "key_directory": None, **options}
        agent = Agent(wire.url, name=name, **options)
        made.append(agent)
        return agent

    yield make
    for agent in made:
        await agent.close()


@pytest.fixture
def until() -> Callable[..., Awaitable[None]]:
    """Waits for a condition; fails after a deadline."""

    async def wait(condition: Callable[[], object], seconds: float = 10) -> None:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 — conditions of all sorts, most without an event
                await asyncio.sleep(0.01)

    return wait
