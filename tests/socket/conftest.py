"""Every test in this folder that takes `hub` runs twice: under our own server and under an ordinary ASGI server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ringforge_core.testkit.hub import TestHub, running_hub


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "settings(hub__idle_seconds=…): settings of the test's hub")


@pytest.fixture(params=["raw", "asgi"])
async def hub(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TestHub]:
    settings = getattr(request.node.get_closest_marker("settings"), "kwargs", {})
    async with running_hub(
        tmp_path, server=request.param, settings={f"RINGFORGE__{name.upper()}": value for name, value in settings.items()}
    ) as running:
        yield running
