"""The administration API is called over a real hub's socket, on both databases, by administrators of two tenants."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio
from admin_client import Admin

from ringforge_core.testkit.hub import TestHub, running_hub
from ringforge_core.testkit.postgres import PostgresServer


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["sqlite", "postgresql"])
async def hub(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TestHub]:
    """One for the tests of a file, each of which has tenants of its own."""
    settings = {
        "RINGFORGE__LIMITS__FAILURES_PER_ADDRESS": "off",  # what is limited is tested in tests/limits
        "RINGFORGE__CAPABILITIES__PRESENCE__LEAVE_AFTER_SECONDS": "0",
    }
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        settings["RINGFORGE__STORE__URL"] = await server.new_database()
    async with running_hub(tmp_path_factory.mktemp("hub"), settings=settings) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def acme(hub: TestHub) -> AsyncIterator[Admin]:
    async with Admin(hub, await hub.tenant(f"acme {uuid4()}")) as admin:
        yield admin


@pytest_asyncio.fixture(loop_scope="module")
async def globex(hub: TestHub) -> AsyncIterator[Admin]:
    """The other tenant, whose ids must open nothing of acme's."""
    async with Admin(hub, await hub.tenant(f"globex {uuid4()}")) as admin:
        yield admin
