"""Tests that take `hub` run three times: under our own server on both databases, and under an ordinary ASGI server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from ringforge_core.testkit.hub import Server, TestHub, running_hub
from ringforge_core.testkit.postgres import PostgresServer


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "settings(hub__idle_seconds=…): settings of the test's hub")


SERVERS = ("raw", "asgi", "raw-postgresql")


@asynccontextmanager
async def _running(request: pytest.FixtureRequest, directory: Path, settings: dict[str, str]) -> AsyncIterator[TestHub]:
    if request.param == "raw-postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        settings["RINGFORGE__STORE__URL"] = await server.new_database()
    transport: Server = "asgi" if request.param == "asgi" else "raw"
    async with running_hub(directory, server=transport, settings=settings) as running:
        yield running


@pytest.fixture(params=SERVERS)
async def hub(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TestHub]:
    marked = getattr(request.node.get_closest_marker("settings"), "kwargs", {})
    settings = {f"RINGFORGE__{name.upper()}": value for name, value in marked.items()}
    async with _running(request, tmp_path, settings) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=SERVERS)
async def hub_of_the_file(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TestHub]:
    async with _running(request, tmp_path_factory.mktemp("hub"), {}) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def tenant(hub_of_the_file: TestHub) -> TestHub:
    """The file's hub with the keys of a tenant that only this test has: what is cheaper than a hub of its own."""
    return hub_of_the_file.with_keys(await hub_of_the_file.tenant(str(uuid4())))
