from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any, ClassVar

import sqlalchemy as sa

from ringforge_core.errors import Conflict
from ringforge_core.plugin import Reply
from ringforge_core.ports.store import Store
from ringforge_core.store import SqlStore, StoreSettings
from ringforge_core.store.tables import idempotency
from ringforge_core.testkit.store_changes import Stored, a_key, a_put, make_entries, put


class Saved(Reply):
    wire: ClassVar[str | None] = "memory:saved"
    key: str


async def _kept(store: Store) -> int:
    query = sa.select(sa.func.count()).select_from(idempotency)
    return await store.read(lambda connection: connection.execute(query).scalar_one())


async def test_a_key_is_free_again_after_its_time_even_before_it_is_swept(tmp_path: Path) -> None:
    settings = StoreSettings(idempotency_seconds=0.05, sweep_seconds=60)
    store = SqlStore(f"sqlite:///{tmp_path}/hub.db", settings=settings)
    await store.open()
    await store.apply(make_entries, None)
    await store.apply(put, a_put("first"), once=a_key())
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(Conflict):
                assert await store.apply(put, a_put("second"), once=a_key(b"another payload")) == Stored("second")
                break
            await asyncio.sleep(0.01)
    await store.close()


async def test_expired_keys_are_swept(tmp_path: Path) -> None:
    settings = StoreSettings(idempotency_seconds=0.05, sweep_seconds=0.02)
    store = SqlStore(f"sqlite:///{tmp_path}/hub.db", settings=settings)
    await store.open()
    await store.apply(make_entries, None)
    await store.apply(put, a_put(), once=a_key())
    async with asyncio.timeout(10):
        while await _kept(store):  # each look is a query of its own
            await store.apply(put, a_put())
    await store.close()


async def test_a_reply_is_kept_in_its_envelope(tmp_path: Path) -> None:
    store = SqlStore(f"sqlite:///{tmp_path}/hub.db")
    await store.open()
    for _ in range(2):
        repeat: Any = await store.apply(lambda transaction, keys: [Saved(key=key) for key in keys], "k", once=a_key())
    assert bytes(repeat) == b'{"type":"memory","event":"saved","payload":{"key":"k"}}'
    await store.close()
