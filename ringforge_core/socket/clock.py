"""The socket's timers, one task for all connections: idle sockets, sockets that never join, requests that take too long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from functools import partial

from ringforge_core.plugin.periodic import Periodic
from ringforge_core.socket.connection import POLICY, PROTOCOL_ERROR, Connection

TICK = 1.0
"""Seconds between two looks; short limits (in tests) are looked at more often."""


class Clock:
    """Started and stopped by the gateway, whose open connections it looks at."""

    def __init__(self, connections: Collection[Connection], *, idle_seconds: float, join_deadline_seconds: float) -> None:
        self._connections = connections
        self._tick = min(TICK, idle_seconds / 6, join_deadline_seconds / 4)
        self._idle_ticks = max(1, round(idle_seconds / self._tick))
        self._join_deadline = join_deadline_seconds
        self._joins: dict[Connection, float] = {}
        self._periodic: Periodic | None = None

    async def start(self, each_tick: Callable[[], None]) -> None:
        """Keep time; `each_tick` is called once a second or more often."""
        self._periodic = Periodic("socket-clock", partial(self._look, each_tick), self._tick)
        await self._periodic.start()

    async def stop(self) -> None:
        if self._periodic is not None:
            await self._periodic.stop()

    def expect_join(self, connection: Connection) -> None:
        """Close the connection unless it authenticates in time."""
        self._joins[connection] = asyncio.get_running_loop().time() + self._join_deadline

    def joined(self, connection: Connection) -> None:
        self._joins.pop(connection, None)

    async def _look(self, each_tick: Callable[[], None]) -> None:
        self._close_unjoined()
        self._close_idle()
        each_tick()

    def _close_unjoined(self) -> None:
        now = asyncio.get_running_loop().time()
        for connection in [connection for connection, due in self._joins.items() if due <= now]:
            del self._joins[connection]
            connection.close(POLICY, "no join with credentials in time")

    def _close_idle(self) -> None:
        idle = []
        for connection in self._connections:
            connection.quiet += 1
            if connection.quiet > self._idle_ticks:
                idle.append(connection)
        for connection in idle:
            connection.close(PROTOCOL_ERROR, "idle: send a heartbeat every 30 seconds")
