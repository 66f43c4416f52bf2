"""A TCP balancer as hosters put before their hubs: each connection goes to the next hub that takes it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress


class Balancer:
    """Listens on a port of its own; `ports` are those of the hubs, which may come and go."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = list(ports)
        self._next = 0
        self._server: asyncio.Server
        self._pipes: set[asyncio.Task[None]] = set()

    @property
    def websocket_url(self) -> str:
        return f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)

    async def stop(self) -> None:
        self._server.close()
        for task in list(self._pipes):
            task.cancel()
        await asyncio.gather(*self._pipes, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in self._ports:
            self._next = (self._next + 1) % len(self._ports)
            try:
                there, back = await asyncio.open_connection("127.0.0.1", self._ports[self._next])
            except OSError:
                continue
            for source, target in ((reader, back), (there, writer)):
                task = asyncio.create_task(_pipe(source, target))
                self._pipes.add(task)
                task.add_done_callback(self._pipes.discard)
            return
        writer.close()


async def _pipe(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        with suppress(OSError):
            while data := await source.read(65_536):
                target.write(data)
                await target.drain()
    finally:
        target.close()
