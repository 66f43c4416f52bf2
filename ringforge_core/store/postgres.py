"""PostgreSQL: a task of its own does all writing, and starts again on a new connection when one is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from ringforge_core.store.commit import Committer
from ringforge_core.store.database import FAST_JSON, Database
from ringforge_core.store.failures import is_lost, is_lost_race, translated
from ringforge_core.store.migrate import migrate
from ringforge_core.store.settings import StoreSettings
from ringforge_core.store.work import Committed, Work
from ringforge_core.store.writer import Listener, Writer, failed

FIRST_PAUSE, LAST_PAUSE = 0.05, 1.0
"""Seconds between the tries of a batch that did not reach its commit: a restart of the database is sat out."""


class PostgresDatabase(Database):
    """Several hubs may share it: the row of a fleet's log orders their commits."""

    dialect = "postgresql"

    def __init__(self, url: sa.URL, settings: StoreSettings) -> None:
        self._settings = settings
        timeout = {"timeout": settings.busy_timeout_seconds}
        self._write_engine = create_async_engine(url, pool_size=1, max_overflow=0, connect_args=timeout, **FAST_JSON)
        readers = create_async_engine(
            url,
            pool_size=settings.read_connections,
            max_overflow=0,
            pool_timeout=settings.busy_timeout_seconds,
            connect_args=timeout,
            **FAST_JSON,
        )
        self.readers = readers.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    async def open(self, migrations: Sequence[str], *, exclusive: bool) -> None:
        try:
            async with self._write_engine.begin() as connection:
                await connection.run_sync(migrate, migrations)
        except Exception as error:
            await self.close()
            raise translated(error) from error

    def writer(self, committer: Committer, listeners: Sequence[Listener]) -> Writer:
        return TaskWriter(self._write_engine, self._settings, committer, listeners)

    async def close(self) -> None:
        await self.readers.dispose()
        await self._write_engine.dispose()


class TaskWriter(Writer):
    _queue: asyncio.Queue[list[Work] | None]

    def __init__(
        self, engine: AsyncEngine, settings: StoreSettings, committer: Committer, listeners: Sequence[Listener]
    ) -> None:
        super().__init__(settings, committer, listeners)
        self._engine = engine
        self._queue = asyncio.Queue()

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="ringforge-store-writer")

    async def close(self) -> None:
        self._end()
        await self._task

    async def _run(self) -> None:
        while self._accepting or self._waiting:
            if not self._waiting:
                self._add(await self._queue.get())
            if works := self._next_works():
                committed = await self._commit(works)
                self._put_back(committed.deferred)
                self._deliver(committed)

    async def _commit(self, works: list[Work]) -> Committed:
        deadline = time.monotonic() + self._settings.busy_timeout_seconds
        pause = FIRST_PAUSE
        while True:
            try:
                async with self._engine.connect() as connection:
                    return await connection.run_sync(self._committer.commit, works)
            except Exception as error:  # noqa: BLE001 — whatever happened, every caller must be answered
                may_try_again = is_lost(error) or is_lost_race(error)
                if not may_try_again or time.monotonic() + pause > deadline:
                    return failed(works, error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LAST_PAUSE)
