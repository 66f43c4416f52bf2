from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ringforge_core.ports.store import Store
from ringforge_core.store import SqlStore, StoreSettings
from ringforge_core.testkit.store import StoreContract


class TestSqliteStore(StoreContract):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[Store]:
        store = SqlStore(f"sqlite:///{tmp_path}/hub.db")
        await store.open()
        yield store
        await store.close()

    @pytest.fixture
    async def narrow_store(self, tmp_path: Path) -> AsyncIterator[Store]:
        store = SqlStore(f"sqlite:///{tmp_path}/narrow.db", settings=StoreSettings(queue_size=10))
        await store.open()
        yield store
        await store.close()
