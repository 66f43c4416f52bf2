from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ringforge_core.ports.store import Store
from ringforge_core.store import SqlStore, StoreSettings
from ringforge_core.testkit.postgres import PostgresServer
from ringforge_core.testkit.store import StoreContract


class TestPostgresStore(StoreContract):
    @pytest.fixture
    async def store(self, postgres: PostgresServer) -> AsyncIterator[Store]:
        store = SqlStore(await postgres.new_database())
        await store.open()
        yield store
        await store.close()

    @pytest.fixture
    async def narrow_store(self, postgres: PostgresServer) -> AsyncIterator[Store]:
        store = SqlStore(await postgres.new_database(), settings=StoreSettings(queue_size=10))
        await store.open()
        yield store
        await store.close()
