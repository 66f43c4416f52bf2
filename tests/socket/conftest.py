"""Tests that take `hub` run three times: under our own server on both databases, and under an ordinary ASGI server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ringforge_core.testkit.hub import Server, TestHub, running_hub
from ringforge_core.testkit.postgres import PostgresServer


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "settings(hub__idle_seconds=…): settings of the test's hub")


@pytest.fixture(params=["raw", "asgi", "raw-postgresql"])
async def hub(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TestHub]:
    marked = getattr(request.node.get_closest_marker("settings"), "kwargs", {})
    settings = {f"RINGFORGE__{name.upper()}": value for name, value in marked.items()}
    if request.param == "raw-postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        settings["RINGFORGE__STORE__URL"] = await server.new_database()
    transport: Server = "asgi" if request.param == "asgi" else "raw"
    async with running_hub(tmp_path, server=transport, settings=settings) as running:
        yield running
