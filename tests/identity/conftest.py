from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest

from ringforge_core.identity import Admission, Bootstrap, Keys, bootstrap
from ringforge_core.identity.tables import tenants
from ringforge_core.ports.store import Store, Transaction
from ringforge_core.store import SqlStore
from ringforge_core.testkit.postgres import postgres_server


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """One database for all tests: making one takes longer than most of them."""
    with postgres_server() as server:
        yield asyncio.run(server.new_database())


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/hub.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    """A store without a tenant, on each kind of database."""
    store = SqlStore(url)
    await store.open()
    await store.apply(_delete_tenants, None)
    yield store
    await store.close()


def _delete_tenants(transaction: Transaction, commands: Sequence[None]) -> list[None]:
    transaction.execute(tenants.delete())
    return [None] * len(commands)


@pytest.fixture
async def other_process(url: str, store: Store) -> AsyncIterator[Store]:
    """A second store on the same database, as the command line opens it beside a running hub."""
    other = SqlStore(url)
    await other.open(exclusive=False)
    yield other
    await other.close()


@pytest.fixture
async def acme(store: Store) -> Bootstrap:
    return await bootstrap(store, tenant="acme")


@pytest.fixture
async def globex(store: Store) -> Bootstrap:
    """The other tenant, whose ids must open nothing of acme's."""
    return await bootstrap(store, tenant="globex")


@pytest.fixture
def admission(store: Store) -> Admission:
    return Admission(store)


@pytest.fixture
def keys(store: Store) -> Keys:
    return Keys(store)
