"""SQLite: a thread of its own does all writing, and is back on the event loop once per commit."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from queue import SimpleQueue

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from ringforge_core.store import address
from ringforge_core.store.commit import Committer
from ringforge_core.store.database import FAST_JSON, Database
from ringforge_core.store.failures import translated
from ringforge_core.store.lock import FileLock
from ringforge_core.store.migrate import migrate
from ringforge_core.store.settings import StoreSettings
from ringforge_core.store.work import Committed, Work
from ringforge_core.store.writer import Listener, Writer, failed

_FOR_WRITING = ("cache_size=-8192", "wal_autocheckpoint=8000")
"""8 MB of hot pages stay in memory (more did not make commits faster, and ten thousand agents filled 32 MB: 2 KB each);
32 MB are carried over into the database file at once, for many commits."""


class SqliteDatabase(Database):
    dialect = "sqlite"

    def __init__(self, url: sa.URL, settings: StoreSettings) -> None:
        self._url = url
        self._settings = settings
        self._lock = FileLock(address.file_of(url))

    async def open(self, migrations: Sequence[str], *, exclusive: bool) -> None:
        await asyncio.to_thread(self._open, migrations, exclusive)

    def _open(self, migrations: Sequence[str], exclusive: bool) -> None:
        try:
            address.file_of(self._url).parent.mkdir(parents=True, exist_ok=True)
            if exclusive:
                self._lock.take()
            self._write_engine = sa.create_engine(
                self._url.set(drivername="sqlite"), connect_args={"check_same_thread": False}, **FAST_JSON
            )
            configure(self._write_engine, self._settings, begin="BEGIN IMMEDIATE", pragmas=_FOR_WRITING)
            with self._write_engine.begin() as connection:
                migrate(connection, migrations)
            self.readers = create_async_engine(
                self._url,
                pool_size=self._settings.read_connections,
                max_overflow=0,
                pool_timeout=self._settings.busy_timeout_seconds,
                **FAST_JSON,
            )
            configure(self.readers.sync_engine, self._settings, begin="BEGIN", pragmas=("query_only=ON",))
        except Exception as error:
            self._lock.release()
            raise translated(error) from error

    def writer(self, committer: Committer, listeners: Sequence[Listener]) -> Writer:
        return ThreadWriter(self._write_engine, self._settings, committer, listeners)

    async def close(self) -> None:
        await self.readers.dispose()
        await asyncio.to_thread(self._write_engine.dispose)
        self._lock.release()


def configure(engine: sa.Engine, settings: StoreSettings, *, begin: str, pragmas: Sequence[str] = ()) -> None:
    """Set up each connection of the engine: durable commits, foreign keys, and how its transactions begin."""
    durable = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")
    timeout = f"busy_timeout={settings.busy_timeout_seconds * 1000:.0f}"

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: sa.engine.interfaces.DBAPIConnection, _record: object) -> None:
        connection.isolation_level = None  # the driver must not begin transactions by itself
        cursor = connection.cursor()
        for pragma in (timeout, *durable, *pragmas):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def begin_transaction(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)


class ThreadWriter(Writer):
    _queue: SimpleQueue[list[Work] | None]

    def __init__(
        self, engine: sa.Engine, settings: StoreSettings, committer: Committer, listeners: Sequence[Listener]
    ) -> None:
        super().__init__(settings, committer, listeners)
        self._engine = engine
        self._connection: sa.Connection | None = None
        self._queue = SimpleQueue()

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="ringforge-store-writer", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        self._end()
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while self._accepting or self._waiting:
            if not self._waiting:
                self._add(self._queue.get())
            if works := self._next_works():
                committed = self._commit(works)
                self._put_back(committed.deferred)
                self._loop.call_soon_threadsafe(self._deliver, committed)
        self._disconnect()

    def _commit(self, works: list[Work]) -> Committed:
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            return self._committer.commit(self._connection, works)
        except Exception as error:  # noqa: BLE001 — whatever happened, every caller must be answered
            self._disconnect()
            return failed(works, error)

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
