"""A real hub process for a test: once on SQLite and once on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ringforge_core.testkit.hub_process import HubProcess
from ringforge_core.testkit.postgres import PostgresServer


@pytest.fixture(params=["sqlite", "postgresql"])
async def hub_process(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[HubProcess]:
    settings = {}
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        settings["RINGFORGE__STORE__URL"] = await server.new_database()
    hub = HubProcess(tmp_path / "hub", settings=settings)
    await hub.start()
    yield hub
    await hub.stop()
