"""A real hub process for a test; on SQLite, and on a real PostgreSQL where the test asks for both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ringforge_core.testkit.hub_process import HubProcess


@pytest.fixture
async def hub_process(tmp_path: Path) -> AsyncIterator[HubProcess]:
    hub = HubProcess(tmp_path / "hub")
    await hub.start()
    yield hub
    await hub.stop()
