"""Fleets on a running hub, once on SQLite and once on PostgreSQL: two of one tenant, and one of another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import uuid4

import msgspec
import pytest
import pytest_asyncio
from mesh_fleet import Fleet

from ringforge_core.identity import bootstrap
from ringforge_core.identity.actor import HUB
from ringforge_core.identity.fleets import create_fleet
from ringforge_core.identity.keys import Keys
from ringforge_core.testkit.hub import TestHub, running_hub

SETTINGS = {"RINGFORGE__CAPABILITIES__MEMORY__SWEEP_SECONDS": "0.1"}


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["sqlite", "postgresql"])
async def hub(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TestHub]:
    settings = dict(getattr(request.module, "SETTINGS", SETTINGS))
    if request.param == "postgresql":
        settings["RINGFORGE__STORE__URL"] = await request.getfixturevalue("postgres").new_database()
    async with running_hub(tmp_path_factory.mktemp("hub"), settings=settings) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def fleet(hub: TestHub) -> AsyncIterator[Fleet]:
    async with AsyncExitStack() as stack:
        yield Fleet(hub, await bootstrap(hub.hub.store, tenant=str(uuid4())), stack)


@pytest_asyncio.fixture(loop_scope="module")
async def sister_fleet(hub: TestHub, fleet: Fleet) -> AsyncIterator[Fleet]:
    """Another fleet of the same tenant."""
    store, tenant_id = hub.hub.store, fleet.keys.tenant_id
    made = await create_fleet(store, tenant_id, name="sister", actor=HUB)
    key = await Keys(store).create(tenant_id, kind="live", fleet_id=made.id)
    async with AsyncExitStack() as stack:
        yield Fleet(hub, msgspec.structs.replace(fleet.keys, fleet_id=made.id, agent_key=key.key), stack)


@pytest_asyncio.fixture(loop_scope="module")
async def other_fleet(hub: TestHub) -> AsyncIterator[Fleet]:
    """A fleet of another tenant."""
    async with AsyncExitStack() as stack:
        yield Fleet(hub, await bootstrap(hub.hub.store, tenant=str(uuid4())), stack)
