"""`SqlStore`: the port's verbs, put together from the writer, the readers and the log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import sqlalchemy as sa

from ringforge_core.errors import Unavailable
from ringforge_core.plugin.periodic import Periodic
from ringforge_core.ports.event_bus import Event, Replay, ReplayFilter
from ringforge_core.ports.store import Charge, Command, FleetPosition, Once, Result, Store, Write
from ringforge_core.store import address
from ringforge_core.store.bookkeeping import Bookkeeping
from ringforge_core.store.commit import Committer
from ringforge_core.store.database import Database
from ringforge_core.store.event_counts import KEPT, forget_counts
from ringforge_core.store.log import begin_logs
from ringforge_core.store.once import Idempotency, forget_expired
from ringforge_core.store.postgres import PostgresDatabase
from ringforge_core.store.replay import read_events, read_position
from ringforge_core.store.settings import StoreSettings
from ringforge_core.store.signals import Signals
from ringforge_core.store.sqlite import SqliteDatabase
from ringforge_core.store.trim import SLICE, Trim, find_old, write_trims
from ringforge_core.store.work import Work
from ringforge_core.store.writer import Listener, Writer

Found = TypeVar("Found")


class SqlStore(Store):
    """`migrations` are the packages of the capabilities' own tables, see `Capability.migrations`.

    `bookkeeping` knows the quotas and the audit log; without it nothing is charged or entered. `node` is the name that an
    exclusive hub claims for itself among those that share a PostgreSQL.
    """

    def __init__(
        self, url: str, *, settings: StoreSettings | None = None, migrations: Sequence[str] = (),
        bookkeeping: Bookkeeping | None = None, node: str | None = None,
    ) -> None:  # fmt: skip
        self._url = address.parse(url)
        self._settings = settings or StoreSettings(url=url)
        self._migrations = tuple(migrations)
        self._bookkeeping = bookkeeping or Bookkeeping()
        self._listeners: list[Listener] = []
        self._signals = Signals()
        self._node = node
        self._database: Database | None = None
        self._writer: Writer | None = None
        self._sweeper = Periodic("store-sweeper", self._sweep, self._settings.sweep_seconds)

    async def open(self, *, exclusive: bool = True) -> None:
        opened = _database(self._url, self._settings)
        await opened.open(self._migrations, exclusive=exclusive)
        idempotency = Idempotency(opened.dialect, timedelta(seconds=self._settings.idempotency_seconds))
        self._database = opened
        self._writer = opened.writer(Committer(idempotency, self._bookkeeping), self._listeners)
        await self._writer.start()
        if exclusive and self.shared:
            try:
                await self._signals.open(self._url, self._node)
            except Exception:
                await self.close()
                raise
        await self._sweeper.start()

    async def close(self) -> None:
        await self._sweeper.stop()
        await self._signals.close()
        writer, self._writer = self._writer, None
        if writer is not None:
            await writer.close()
        opened, self._database = self._database, None
        if opened is not None:
            await opened.close()

    async def apply(
        self,
        write: Write[Command, Result],
        command: Command,
        *,
        once: Once | None = None,
        charges: Sequence[Charge] = (),
    ) -> Result:
        if self._writer is None:
            raise _closed()
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._writer.submit(Work(write, command, once, future, charges))
        return await future

    async def read(self, query: Callable[[sa.Connection], Found]) -> Found:
        if self._database is None:
            raise _closed()
        return await self._database.read(query)

    def on_commit(self, listener: Callable[[Sequence[Event]], None]) -> None:
        self._listeners.append(listener)

    @property
    def shared(self) -> bool:
        return self._url.drivername != address.SQLITE

    def signal(self, name: str, body: bytes) -> None:
        self._signals.send(name, body)

    def on_signal(
        self, name: str, listener: Callable[[bytes], None], *, missed: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self._signals.on_signal(name, listener, missed)

    async def position(self, tenant_id: str, fleet_id: str) -> FleetPosition:
        found = await self.read(lambda connection: read_position(connection, tenant_id, fleet_id))
        if found is None:
            return await self.apply(begin_logs, (tenant_id, fleet_id))
        return found

    async def events(self, tenant_id: str, fleet_id: str, query: ReplayFilter, *, topic: str | None = None) -> Replay:
        return await self.read(lambda connection: read_events(connection, tenant_id, fleet_id, query, topic))

    async def trim_events(self, tenant_id: str, fleet_id: str, topic: str | None, *, before: datetime) -> int:
        trimmed = 0
        while True:
            old = await self.read(lambda connection: find_old(connection, tenant_id, fleet_id, topic, before))
            if old:
                trimmed += await self.apply(write_trims, Trim(tenant_id, fleet_id, old))
            if len(old) < SLICE:
                return trimmed

    async def _sweep(self) -> None:
        """Forget the replies of expired idempotency keys, and what happened long ago by the minute."""
        now = datetime.now(UTC)
        await self.apply(forget_expired, now)
        await self.apply(forget_counts, now - KEPT)


def _database(url: sa.URL, settings: StoreSettings) -> Database:
    if url.drivername == address.SQLITE:
        return SqliteDatabase(url, settings)
    return PostgresDatabase(url, settings)


def _closed() -> Unavailable:
    return Unavailable("The store is closed.", fix="Open it before use; a hub that stops takes no more requests.")
