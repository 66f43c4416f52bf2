"""A store of its own for each test, and events committed to it as the hub does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from ringforge_core.ports.event_bus import Event
from ringforge_core.ports.store import Store, Transaction
from ringforge_core.store import SqlStore


def append(tx: Transaction, batches: Sequence[Sequence[Event]]) -> list[None]:
    for batch in batches:
        for event in batch:
            tx.append(event)
    return [None for _ in batches]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = SqlStore(f"sqlite:///{tmp_path / 'hub.db'}")
    await store.open()
    yield store
    await store.close()


@pytest.fixture
def commit(store: Store) -> Callable[[Sequence[Event]], Awaitable[list[Event]]]:
    """Commit events; returns them as the commit numbered them."""
    committed: list[Event] = []
    store.on_commit(committed.extend)

    async def commit(events: Sequence[Event]) -> list[Event]:
        committed.clear()
        await store.apply(append, tuple(events))
        return list(committed)

    return commit
