"""Stores that keep an audit log, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from ringforge_core.audit import AuditTrail
from ringforge_core.store import Bookkeeping, SqlStore, StoreSettings
from ringforge_core.testkit.postgres import PostgresServer

OpenStore = Callable[..., Awaitable[SqlStore]]


@pytest.fixture(params=["sqlite", "postgres"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/hub.db"
    server: PostgresServer = request.getfixturevalue("postgres")
    return await server.new_database()


@pytest.fixture
async def open_store() -> AsyncIterator[OpenStore]:
    async with AsyncExitStack() as stack:

        async def open_one(url: str, *, commit_size: int = 512) -> SqlStore:
            settings = StoreSettings(url=url, commit_size=commit_size)
            store = SqlStore(url, settings=settings, bookkeeping=Bookkeeping(audit=AuditTrail()))
            await store.open(exclusive=False)
            stack.push_async_callback(store.close)
            return store

        yield open_one


@pytest.fixture
async def store(url: str, open_store: OpenStore) -> SqlStore:
    return await open_store(url)
