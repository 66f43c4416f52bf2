"""Signals between the hubs that share one PostgreSQL: its NOTIFY, on a connection of our own.

Signals are small, many a second, and lost when a connection breaks; then the listeners are told that they may have missed
some. What is sent within one tick travels as one text, cut into pieces, since PostgreSQL takes less than 8,000 bytes at
once (source: its documentation of NOTIFY). The connection also holds the lock on this hub's name: it ends with the hub,
however that ends.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from ringforge_core.errors import StoreInUse
from ringforge_core.store.failures import translated

CHANNEL = "ringforge"
PIECE = 7_000
"""Characters of one NOTIFY, all ASCII."""
WAITING = 50_000
"""Signals kept while the connection is gone; older ones are given up."""
MORE, LAST = "+", "."
FIRST_RETRY, LAST_RETRY = 0.1, 2.0
NAME_SECONDS = 5.0
"""How long the predecessor of this name may take to be seen as gone."""
_NAMES = 0x666F7267  # "forg": the advisory locks whose second half is a hub's name

SignalListener = Callable[[bytes], None]
MissedListener = Callable[[], Awaitable[None]]

log = structlog.get_logger(__name__)


class Signals:
    """Sends and hears signals; `open` claims the name `node` among the hubs of this database."""

    def __init__(self) -> None:
        self._me = secrets.token_hex(4)
        self._listeners: dict[str, list[SignalListener]] = defaultdict(list)
        self._missed: list[MissedListener] = []
        self._waiting: deque[tuple[str, str]] = deque(maxlen=WAITING)
        self._some = asyncio.Event()
        self._lost = asyncio.Event()
        self._pieces: dict[str, list[str]] = {}
        self._task: asyncio.Task[None] | None = None

    def on_signal(self, name: str, listener: SignalListener, missed: MissedListener | None) -> None:
        self._listeners[name].append(listener)
        if missed is not None:
            self._missed.append(missed)

    def send(self, name: str, body: bytes) -> None:
        """The body must be JSON text."""
        if self._task is not None:
            self._waiting.append((name, body.decode()))
            self._some.set()

    async def open(self, url: sa.URL, node: str | None) -> None:
        """Connect; raises `StoreInUse` when another hub of this name runs, or the translated error of the database."""
        self._engine = create_async_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        self._node = node
        try:
            connection = await self._connect(NAME_SECONDS)
        except Exception as error:
            await self._engine.dispose()
            raise translated(error) from error
        self._task = asyncio.create_task(self._run(connection), name="store-signals")

    async def close(self) -> None:
        """Send what waits, then disconnect."""
        task, self._task = self._task, None
        if task is not None:
            self._some.set()
            done, _ = await asyncio.wait([task], timeout=LAST_RETRY)
            if not done:
                task.cancel()
                await asyncio.wait([task])
            await self._engine.dispose()

    async def _run(self, connection: Any) -> None:
        while True:
            try:
                await self._send_all(connection)
            except Exception as error:  # noqa: BLE001 — whatever broke the connection, a new one is needed
                log.warning("signals_interrupted", error=type(error).__name__)
            with suppress(Exception):
                await connection.close()
            if self._task is None:
                return
            connection = await self._connect_again()
            self._pieces.clear()
            for missed in self._missed:
                try:
                    await missed()
                except Exception:
                    log.exception("signals_missed_listener_failed")

    async def _connect_again(self) -> Any:
        """The database may be away, or still hold the name for the connection that was lost."""
        retry = FIRST_RETRY
        while True:
            await asyncio.sleep(retry)
            try:
                return await self._connect(0)
            except Exception as error:  # noqa: BLE001 — what is wrong now may be right in a moment
                log.debug("signals_not_back", error=type(error).__name__)
                retry = min(retry * 2, LAST_RETRY)

    async def _connect(self, patience: float) -> Any:
        connection = await self._engine.connect()
        try:
            await self._claim_name(connection, patience)
            raw = await _driver_of(connection)
            raw.add_termination_listener(partial(self._end, lost := asyncio.Event()))
            self._lost = lost
            await raw.add_listener(CHANNEL, lambda _connection, _pid, _channel, text: self._hear(text))
        except BaseException:
            await connection.close()
            raise
        return connection

    def _end(self, lost: asyncio.Event, _: object) -> None:
        lost.set()
        self._some.set()

    async def _claim_name(self, connection: Any, patience: float) -> None:
        if self._node is None:
            return
        claim = sa.text("SELECT pg_try_advisory_lock(:names, hashtext(:node))")
        deadline = asyncio.get_running_loop().time() + patience
        while not (await connection.execute(claim, {"names": _NAMES, "node": self._node})).scalar():
            if asyncio.get_running_loop().time() >= deadline:
                raise StoreInUse(
                    f"Another hub named {self._node} runs on this database.",
                    fix="Give each hub a name of its own: [hub] node.",
                )
            await asyncio.sleep(FIRST_RETRY)

    async def _send_all(self, connection: Any) -> None:
        """Until the connection is lost or the hub stops; then what waits is sent."""
        raw = await _driver_of(connection)  # a busy hub signals with each commit: past SQLAlchemy it costs a seventh
        while not self._lost.is_set():
            while self._waiting:
                signals = [self._waiting.popleft() for _ in range(len(self._waiting))]
                for piece in self._cut(json.dumps(signals)):
                    await raw.execute("SELECT pg_notify($1, $2)", CHANNEL, piece)
            if self._task is None:
                return
            self._some.clear()
            await self._some.wait()

    def _cut(self, text: str) -> Iterator[str]:
        """Each piece says who sends it, and whether another one follows."""
        for start in range(0, len(text), PIECE):
            yield f"{self._me}{MORE if start + PIECE < len(text) else LAST}{text[start : start + PIECE]}"

    def _hear(self, piece: str) -> None:
        sender, place = piece[: len(self._me)], piece[len(self._me)]
        if sender == self._me:
            return
        pieces = self._pieces.setdefault(sender, [])
        pieces.append(piece[len(self._me) + 1 :])
        if place == LAST:
            self._tell(sender, "".join(self._pieces.pop(sender)))

    def _tell(self, sender: str, text: str) -> None:
        try:
            signals = msgspec.json.decode(text, type=list[tuple[str, str]])
        except msgspec.DecodeError:
            log.warning("signals_unreadable", sender=sender)  # we began to listen in the middle of them
            return
        for name, body in signals:
            for listener in self._listeners.get(name, ()):
                try:
                    listener(body.encode())
                except Exception:
                    log.exception("signal_listener_failed", signal=name)


async def _driver_of(connection: AsyncConnection) -> Any:
    """The connection of asyncpg."""
    return (await connection.get_raw_connection()).driver_connection
