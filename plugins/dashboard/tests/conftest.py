from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

sys.path.insert(0, str(Path(__file__).parents[2] / "accounts" / "tests"))  # their mailbox
sys.path.insert(0, str(Path(__file__).parents[2] / "auth_oauth" / "tests"))  # their provider
sys.path.insert(0, str(Path(__file__).parent))

from dashboard_visitor import Office, chromium, running_office

SMALL_PLAN = {"RINGFORGE__LIMITS__UNLIMITED__FLEETS": "3", "RINGFORGE__LIMITS__UNLIMITED__EVENT_RATES": "declared"}


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with running_office(tmp_path) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    """For tests that leave each other alone. Its plan is a small one."""
    async with running_office(tmp_path_factory.mktemp("office"), **SMALL_PLAN) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running
