from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ringforge_core.errors import ConfigError, StoreInUse, Unavailable
from ringforge_core.ports.store import Store
from ringforge_core.store import SqlStore, StoreSettings
from ringforge_core.testkit.store import StoreContract
from ringforge_core.testkit.store_changes import a_put, make_entries, put, stored_keys

HOLD_THE_STORE = """
import asyncio, sys
from ringforge_core.store import SqlStore

async def hold():
    await SqlStore(sys.argv[1]).open()
    print("open", flush=True)
    await asyncio.sleep(60)

asyncio.run(hold())
"""


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


async def test_a_second_hub_is_told_who_has_the_database_until_that_one_is_killed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/data/hub.db"
    holder = subprocess.Popen([sys.executable, "-c", HOLD_THE_STORE, url], stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220, S603 — our own code, awaited by its first line
    try:
        assert holder.stdout is not None
        assert await asyncio.to_thread(holder.stdout.readline) == "open\n"
        store = SqlStore(url)
        with pytest.raises(StoreInUse, match=f"process {holder.pid}.*hub.db.lock") as refusal:
            await store.open()
        assert f"Stop process {holder.pid}" in refusal.value.fix
    finally:
        holder.kill()
        await asyncio.to_thread(holder.communicate)
    await store.open()
    await store.close()


async def test_a_command_works_beside_a_running_hub(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/hub.db"
    hub, command = SqlStore(url), SqlStore(url)
    await hub.open()
    await command.open(exclusive=False)
    await command.apply(make_entries, None)
    await asyncio.gather(*(store.apply(put, a_put()) for _ in range(50) for store in (hub, command)))
    assert len(await stored_keys(hub)) == 100
    await command.close()
    with pytest.raises(StoreInUse, match=f"process {os.getpid()}"):
        await command.open()
    await hub.close()


async def test_a_database_locked_by_another_program_is_unavailable_until_it_lets_go(tmp_path: Path) -> None:
    settings = StoreSettings(busy_timeout_seconds=0.1)
    store = SqlStore(f"sqlite:///{tmp_path}/hub.db", settings=settings)
    await store.open()
    await store.apply(make_entries, None)
    with sqlite3.connect(tmp_path / "hub.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable):
            await store.apply(put, a_put())
        other.execute("ROLLBACK")
    await store.apply(put, a_put())
    assert len(await stored_keys(store)) == 1
    await store.close()


async def test_a_directory_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable):
        await SqlStore(f"sqlite:///{tmp_path}/file/hub.db").open()


@pytest.mark.parametrize("url", ["", "sqlite://", "sqlite:///:memory:", "mysql://u:hunter2@h/d", "no url with hunter2"])
def test_a_url_that_names_no_known_database_is_a_clear_error(url: str) -> None:
    with pytest.raises(ConfigError, match=r"\[store\] url") as error:
        SqlStore(url)
    assert "sqlite:///" in error.value.fix
    assert "hunter2" not in str(error.value)
