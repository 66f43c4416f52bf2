"""Databases that have their tables already: a test that is not about migrations need not wait for them again."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import sqlalchemy as sa

from ringforge_core.config import Config, load_plugins
from ringforge_core.plugin.manager import PluginManager
from ringforge_core.store.migrate import migrate

_FILES = tempfile.TemporaryDirectory(prefix="ringforge-migrated-")
"""Goes with the process."""


def migrated_sqlite(packages: Sequence[str], file: Path) -> None:
    """Put a database with the tables of core and these packages of migrations at `file`, unless there is one."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_sqlite_file(tuple(packages)), file)


@cache
def default_migrations() -> tuple[str, ...]:
    """The packages of the capabilities that a hub has when its TOML names none."""
    return load_plugins(Config(), PluginManager(), {}).migrations


@cache
def _sqlite_file(packages: tuple[str, ...]) -> Path:
    file = Path(_FILES.name) / f"{len(list(Path(_FILES.name).iterdir()))}.db"
    engine = sa.create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        migrate(connection, packages)
    engine.dispose()
    return file
