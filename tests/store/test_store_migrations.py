from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

import ringforge_core.audit.tables
import ringforge_core.identity.tables
import ringforge_core.limits.tables
import ringforge_core.nodes.tables
import ringforge_core.store.tables
from ringforge_core.errors import PluginError
from ringforge_core.plugin.schema import metadata
from ringforge_core.store import SqlStore
from ringforge_core.testkit.postgres import PostgresServer

CORE = [
    table
    for module in (
        ringforge_core.audit.tables,
        ringforge_core.identity.tables,
        ringforge_core.limits.tables,
        ringforge_core.nodes.tables,
        ringforge_core.store.tables,
    )
    for table in vars(module).values()
    if isinstance(table, sa.Table)
]
PROVERBS = "ringforge_proverbs_migrations"
FIRST = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0001_proverbs", None

def upgrade():
    op.create_table("proverbs", sa.Column("id", sa.Text, primary_key=True))
"""
SECOND = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0002_author", "0001_proverbs"

def upgrade():
    op.add_column("proverbs", sa.Column("author", sa.Text))
"""
OPEN_AND_CLOSE = """
import asyncio, sys
from ringforge_core.store import SqlStore

async def main():
    store = SqlStore(sys.argv[1])
    await store.open()
    await store.close()

asyncio.run(main())
print("alembic" in sys.modules)
"""


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/hub.db"
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        yield await server.new_database(migrated=False)


@pytest.fixture
def proverbs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A plugin's package of migrations, with one migration."""
    package = tmp_path / PROVERBS
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "0001_proverbs.py").write_text(FIRST)
    monkeypatch.syspath_prepend(tmp_path)
    return package


async def _columns(url: str, table: str, *migrations: str) -> list[str]:
    store = SqlStore(url, migrations=migrations)
    await store.open()
    try:
        return await store.read(lambda connection: [column["name"] for column in sa.inspect(connection).get_columns(table)])
    finally:
        await store.close()


async def test_the_migrations_make_the_tables_that_are_declared(url: str) -> None:
    store = SqlStore(url)
    await store.open()

    def differences(connection: sa.Connection) -> list[object]:
        declared = sa.MetaData(naming_convention=metadata.naming_convention)
        made = sa.inspect(connection).get_table_names()
        for table in metadata.tables.values():
            if table in CORE or table.name in made:
                table.to_metadata(declared)
        options = {
            "compare_type": True,
            "compare_server_default": True,
            "include_name": lambda name, kind, _parents: kind != "table" or not name.startswith("alembic_version"),
        }
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), declared))

    assert await store.read(differences) == []
    await store.close()


async def test_a_plugins_tables_come_and_grow_with_it(url: str, proverbs: Path) -> None:
    assert await _columns(url, "proverbs", PROVERBS) == ["id"]
    (proverbs / "0002_author.py").write_text(SECOND)
    assert await _columns(url, "proverbs", PROVERBS) == ["id", "author"]


async def test_a_plugin_that_is_taken_out_stops_nobody(url: str, proverbs: Path) -> None:
    await _columns(url, "proverbs", PROVERBS)
    assert await _columns(url, "proverbs") == ["id"]
    assert await _columns(url, "proverbs", PROVERBS) == ["id"]


async def test_a_failing_migration_leaves_the_database_as_it_was(url: str, proverbs: Path) -> None:
    (proverbs / "0002_author.py").write_text(SECOND + "    raise RuntimeError('broken')\n")
    with pytest.raises(RuntimeError, match="broken"):
        await _columns(url, "proverbs", PROVERBS)
    (proverbs / "0002_author.py").write_text(SECOND)
    assert await _columns(url, "proverbs", PROVERBS) == ["id", "author"]


async def test_a_package_that_is_not_there_is_named(url: str) -> None:
    with pytest.raises(PluginError, match="ringforge_nowhere"):
        await SqlStore(url, migrations=["ringforge_nowhere"]).open()


def test_a_start_with_nothing_to_migrate_does_not_load_alembic(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OPEN_AND_CLOSE, f"sqlite:///{tmp_path}/hub.db"]
    loaded = [subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() for _ in range(2)]  # noqa: S603 — our own code
    assert loaded == ["True", "False"]


async def test_a_migration_in_a_file_of_another_name_is_named(url: str, proverbs: Path) -> None:
    (proverbs / "0001_proverbs.py").rename(proverbs / "0001_sayings.py")
    with pytest.raises(PluginError, match="0001_sayings"):
        await SqlStore(url, migrations=[PROVERBS]).open()
