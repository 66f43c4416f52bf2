"""A real PostgreSQL for tests: the server that `RINGFORGE_TEST_POSTGRES` names, else one of our own.

with postgres_server() as server:       # once per test session
    url = await server.new_database()   # once per test
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from ringforge_core.store.migrate import migrate
from ringforge_core.testkit.migrated import default_migrations

_DEBIAN = Path("/usr/lib/postgresql")
_MISSING = "no PostgreSQL: `apt-get install postgresql`, or name a server in RINGFORGE_TEST_POSTGRES"


class PostgresServer:
    """`url` names a database of the server, as a user who may create others."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._migrated: str | None = None

    async def new_database(self, *, migrated: bool = True) -> str:
        """The URL of a fresh database; it has the tables of a hub whose TOML names no capabilities, or else none."""
        return sa.make_url(self.url).set(database=await self._create(migrated)).render_as_string(hide_password=False)

    async def _create(self, migrated: bool) -> str:
        name = f"ringforge_test_{secrets.token_hex(8)}"
        model = f" TEMPLATE {await self._model()}" if migrated else ""
        async with self._connected(sa.make_url(self.url).database) as connection:
            await connection.execute(sa.text(f"CREATE DATABASE {name}{model}"))
        return name

    async def _model(self) -> str:
        """The database with the tables that the others are copied from."""
        if self._migrated is None:
            name = await self._create(migrated=False)
            async with self._connected(name) as connection:
                await connection.run_sync(lambda connection: migrate(connection, default_migrations()))
            self._migrated = name
        return self._migrated

    @asynccontextmanager
    async def _connected(self, database: str | None) -> AsyncIterator[AsyncConnection]:
        url = sa.make_url(self.url).set(drivername="postgresql+asyncpg", database=database)
        engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
        try:
            async with engine.connect() as connection:
                yield connection
        finally:
            await engine.dispose()


class OwnPostgresServer(PostgresServer):
    """A server on a free port of the loopback, run as an unprivileged user; a test may take it down and start it again."""

    def __init__(self, programs: Path, directory: Path) -> None:
        port = _free_port()
        super().__init__(f"postgresql://postgres@127.0.0.1:{port}/postgres")
        self._programs = programs
        self._directory = directory
        self._data = directory / "data"
        self._options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={directory} -c fsync=off"

    def create(self) -> None:
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self._directory, user.pw_uid, user.pw_gid)
        self._run("initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync")

    def start(self) -> None:
        """Returns when it takes connections."""
        self._run("pg_ctl", "start", "--wait", f"--log={self._directory / 'server.log'}", f"--options={self._options}")

    def crash(self) -> None:
        """Stop at once and cut every connection, as after a power failure."""
        self._run("pg_ctl", "stop", "--wait", "--mode=immediate")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), f"--pgdata={self._data}", *arguments]
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            command = ["runuser", "-u", "postgres", "--", *command]
        subprocess.run(command, check=True, timeout=60, cwd=self._directory, stdout=subprocess.DEVNULL)  # noqa: S603 — our own arguments


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Skips the test, saying what to install, when there is none."""
    if url := os.environ.get("RINGFORGE_TEST_POSTGRES"):
        yield PostgresServer(url)
        return
    programs = max(_DEBIAN.glob("*/bin"), default=None)
    if programs is None:
        pytest.skip(_MISSING)
    with own_postgres_server(programs) as server:
        yield server


@contextmanager
def own_postgres_server(programs: Path) -> Iterator[OwnPostgresServer]:
    directory = Path(tempfile.mkdtemp(prefix="ringforge-postgres-"))
    server = OwnPostgresServer(programs, directory)
    try:
        server.create()
        server.start()
        try:
            yield server
        finally:
            server.crash()
    finally:
        shutil.rmtree(directory)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
