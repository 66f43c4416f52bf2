"""From the URL in the TOML to the drivers that serve it."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from ringforge_core.errors import ConfigError

SQLITE = "sqlite+aiosqlite"
POSTGRESQL = "postgresql+asyncpg"
_FIX = "Write `sqlite:///path/hub.db` or `postgresql://user:password@host:5432/database`."


def parse(text: str) -> sa.URL:
    """The URL with an asynchronous driver; raises `ConfigError`, which never quotes the password."""
    try:
        url = make_url(text)
    except ArgumentError:
        raise ConfigError("The [store] url cannot be read.", fix=_FIX) from None
    if url.drivername == "sqlite":
        if not url.database or url.database == ":memory:":
            raise ConfigError("The [store] url names no database file.", fix=_FIX)
        return url.set(drivername=SQLITE)
    if url.drivername in ("postgresql", "postgres"):
        return _asyncpg(url)
    raise ConfigError(f"The [store] url starts with {url.drivername}, which is no database that the hub knows.", fix=_FIX)


def file_of(url: sa.URL) -> Path:
    return Path(url.database or "")


def _asyncpg(url: sa.URL) -> sa.URL:
    """asyncpg calls libpq's `sslmode` `ssl`."""
    url = url.set(drivername=POSTGRESQL)
    if mode := url.query.get("sslmode"):
        url = url.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})
    return url
