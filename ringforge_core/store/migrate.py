"""Bring the tables up to date: core's migrations, then those of each capability.

A package of migrations is linear, its files sort in order, and a file's name is its revision. Every package keeps its
own version table, so a capability that is taken out of the TOML leaves nothing behind that stops the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import sqlalchemy as sa

from ringforge_core.errors import PluginError

CORE = "ringforge_core.store.migrations.versions"
_ADVISORY_LOCK = 0x72696E67  # "ring": hubs that start together on one PostgreSQL migrate one after another


def migrate(connection: sa.Connection, packages: Sequence[str]) -> None:
    """Upgrade to the newest revision of core and of these packages, in the connection's transaction."""
    if not _outdated(connection, packages):
        return
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
    for package in _outdated(connection, packages):
        _upgrade(connection, package)
    if misnamed := _outdated(connection, packages):
        raise PluginError(
            f"The newest migration of {misnamed[0]}, {_newest(misnamed[0])}, is in a file of another name.",
            fix="Name the file as its `revision`: else every start would look for something to upgrade.",
        )


def version_table(package: str) -> str:
    return "alembic_version" if package == CORE else "alembic_version_" + package.replace(".", "_")


def _outdated(connection: sa.Connection, packages: Sequence[str]) -> list[str]:
    tables = set(sa.inspect(connection).get_table_names())
    return [package for package in (CORE, *packages) if _revision(connection, package, tables) != _newest(package)]


def _revision(connection: sa.Connection, package: str, tables: set[str]) -> str | None:
    name = version_table(package)
    if name not in tables:
        return None
    table = sa.table(name, sa.column("version_num"))
    return connection.execute(sa.select(table.c.version_num)).scalar()


def _newest(package: str) -> str:
    """The revision of the last file: comparing it with the database spares the import of Alembic at most starts."""
    return max(file.stem for file in _directory(package).glob("[!_]*.py"))


def _directory(package: str) -> Path:
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise PluginError(
            f"The package of migrations {package} is not installed.",
            fix="Install the plugin with its `migrations` package, with an `__init__.py` in it.",
        )
    return Path(found.submodule_search_locations[0])


def _upgrade(connection: sa.Connection, package: str) -> None:
    from alembic import command  # costs 0.2 s, and most starts have nothing to upgrade
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("version_locations", str(_directory(package)))
    config.set_main_option("path_separator", "newline")
    config.attributes.update(connection=connection, version_table=version_table(package))
    command.upgrade(config, "head")
