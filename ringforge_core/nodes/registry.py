"""This hub's row among those that share the database: it beats, and watches the others' beats."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

import msgspec
import sqlalchemy as sa
import structlog

from ringforge_core.errors import Unavailable
from ringforge_core.nodes.tables import nodes
from ringforge_core.plugin.ids import now
from ringforge_core.plugin.periodic import Periodic
from ringforge_core.ports.store import Store, Transaction

BEAT_SECONDS = 1.0
GONE_SECONDS = 5.0
"""A hub whose beat stood still for so long is gone; one that only hung finds that out and lets its agents go."""

log = structlog.get_logger(__name__)

OnGone = Callable[[str], Awaitable[object]]


class Load(msgspec.Struct, frozen=True):
    """What a hub says of itself with each beat."""

    url: str
    connections: int
    draining: bool


class Beat(msgspec.Struct, frozen=True):
    name: str
    instance: str
    number: int
    version: str
    load: Load


class Leave(msgspec.Struct, frozen=True):
    """Take out a row that still is as it was seen."""

    name: str
    instance: str
    beat: int


class _Seen(NamedTuple):
    instance: str
    beat: int
    since: float


class NodeRegistry(Periodic):
    """Started before this hub lets agents in, stopped after they have left.

    On a database of a single hub there is nobody to watch, and nobody who watches: one row is written and left alone.
    """

    def __init__(self, store: Store, name: str, *, version: str, load: Callable[[], Load]) -> None:
        self._store = store
        self._node = name
        self._version = version
        self._load = load
        self._instance = secrets.token_hex(8)
        self._number = 0
        self._seen: dict[str, _Seen] = {}
        self._on_gone: list[OnGone] = []
        self._on_outlawed: list[Callable[[], None]] = []
        super().__init__("node-registry", self.beat, BEAT_SECONDS)

    @property
    def others(self) -> frozenset[str]:
        """The names of the other hubs that live."""
        return frozenset(self._seen)

    def on_gone(self, listener: OnGone) -> None:
        """Call it with the name of each hub that stopped, died, or started anew; every other hub is told."""
        self._on_gone.append(listener)

    def on_outlawed(self, listener: Callable[[], None]) -> None:
        """Call it when the others took this hub for dead although it lives: what they know of it is undone."""
        self._on_outlawed.append(listener)

    async def start(self) -> None:
        if not self._store.shared:
            await self._store.apply(_leave_alone, self._node)
        await self.beat()
        if self._store.shared:
            await super().start()

    async def stop(self) -> None:
        await super().stop()
        if self._number:
            with suppress(Unavailable):  # then the others find out by themselves
                await self._store.apply(_leave, Leave(self._node, self._instance, self._number))
            self._number = 0

    async def beat(self) -> None:
        self._number += 1
        beat = Beat(self._node, self._instance, self._number, self._version, self._load())
        known = await self._store.apply(_beat, beat)
        if not known and self._number > 1:
            log.error("node_outlawed", node=self._node, silent_for_seconds=GONE_SECONDS)
            for listener in self._on_outlawed:
                listener()
        await self._watch()

    async def _watch(self) -> None:
        query = sa.select(nodes.c.name, nodes.c.instance, nodes.c.beat).where(nodes.c.name != self._node)
        rows = {row.name: row for row in await self._store.read(lambda connection: connection.execute(query).all())}
        at = time.monotonic()
        for name, seen in list(self._seen.items()):
            row = rows.get(name)
            if row is None or row.instance != seen.instance:
                log.info("node_left", node=name)
                await self._gone(name)
            elif row.beat == seen.beat and at - seen.since > GONE_SECONDS:
                log.warning("node_silent", node=name, seconds=GONE_SECONDS)
                await self._store.apply(_leave, Leave(name, seen.instance, seen.beat))
                await self._gone(name)
                rows.pop(name)
        for name, row in rows.items():
            last = self._seen.get(name)
            if last is None or (last.instance, last.beat) != (row.instance, row.beat):
                self._seen[name] = _Seen(row.instance, row.beat, at)

    async def _gone(self, name: str) -> None:
        self._seen.pop(name, None)
        for listener in self._on_gone:
            try:
                await listener(name)
            except Exception:
                log.exception("node_gone_listener_failed", node=name)


def _beat(tx: Transaction, beats: Sequence[Beat]) -> list[bool]:
    """Whether the row was there; it is in any case afterwards."""
    return [_beat_once(tx, beat) for beat in beats]


def _beat_once(tx: Transaction, beat: Beat) -> bool:
    values = {"beat": beat.number, "seen_at": now(), **msgspec.structs.asdict(beat.load)}
    mine = nodes.c.name == beat.name, nodes.c.instance == beat.instance
    if tx.execute(nodes.update().where(*mine).values(values)).rowcount:
        return True
    tx.execute(nodes.delete().where(nodes.c.name == beat.name))
    row = {"name": beat.name, "instance": beat.instance, "version": beat.version, "started_at": now(), **values}
    tx.execute(nodes.insert(), row)
    return False


def _leave_alone(tx: Transaction, names: Sequence[str]) -> list[None]:
    """On a database of a single hub any other name is one that this hub, or a crash, left behind."""
    for name in names:
        tx.execute(nodes.delete().where(nodes.c.name != name))
    return [None] * len(names)


def _leave(tx: Transaction, commands: Sequence[Leave]) -> list[None]:
    for gone in commands:
        tx.execute(
            nodes.delete().where(nodes.c.name == gone.name, nodes.c.instance == gone.instance, nodes.c.beat == gone.beat)
        )
    return [None] * len(commands)
