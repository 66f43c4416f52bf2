"""Stores that keep quotas, on SQLite and on PostgreSQL, with a clock that a test can set."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from quota_tenants import PLAN, Clock, OpenStore

from ringforge_core.audit import AuditTrail
from ringforge_core.limits import LimitsSettings, Plan, Quotas
from ringforge_core.store import Bookkeeping, SqlStore, StoreSettings
from ringforge_core.testkit.postgres import PostgresServer


@pytest.fixture(params=["sqlite", "postgres"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/hub.db"
    server: PostgresServer = request.getfixturevalue("postgres")
    return await server.new_database()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def open_store(url: str, clock: Clock) -> AsyncIterator[OpenStore]:
    """Opens a store on the test's database, where the plan free is `PLAN` unless told otherwise."""
    async with AsyncExitStack() as stack:

        async def open_one(free: Plan = PLAN, *, url: str = url, commit_size: int = 512) -> SqlStore:
            bookkeeping = Bookkeeping(Quotas(LimitsSettings(free=free), clock=clock), AuditTrail())
            settings = StoreSettings(url=url, commit_size=commit_size)
            store = SqlStore(url, settings=settings, bookkeeping=bookkeeping)
            await store.open(exclusive=False)
            stack.push_async_callback(store.close)
            return store

        yield open_one


@pytest.fixture
async def store(open_store: OpenStore) -> SqlStore:
    return await open_store()
