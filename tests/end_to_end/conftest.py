"""A real hub process for a test: once on SQLite and once on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ringforge_core.testkit.hub_process import HubProcess
from ringforge_core.testkit.postgres import PostgresServer


@pytest.fixture(params=["sqlite", "postgresql"])
async def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the hub keeps its data."""
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        return await server.new_database()
    return f"sqlite:///{tmp_path / 'hub.db'}"


@pytest.fixture
async def hub_process(store_url: str, tmp_path: Path) -> AsyncIterator[HubProcess]:
    hub = HubProcess(tmp_path / "hub", settings={"RINGFORGE__STORE__URL": store_url})
    await hub.start()
    yield hub
    await hub.stop()
