"""Runs an ASGI application under uvicorn, set up so that `take_over` can have its WebSockets."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
from uvicorn.loops.auto import auto_loop_factory

from ringforge_core.errors import ConfigError, Unavailable
from ringforge_core.socket.raw import RawTransport
from ringforge_core.socket.uvicorn_protocol import HandoverProtocol, UpgradingHttpProtocol

BACKLOG = 4096
TICK_SECONDS = 0.1
A_DAY_OF_TICKS = 864_000


class Tls(msgspec.Struct, frozen=True, kw_only=True):
    """PEM files: a certificate, with the chain to its root, and its key."""

    certificate: Path
    key: Path


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A uvloop where it is installed, else asyncio's own: `asyncio.Runner(loop_factory=new_event_loop)`."""
    return auto_loop_factory()()


async def serve(
    app: Any,
    *,
    host: str,
    port: int,
    on_started: Callable[[str, int], None] = lambda host, port: None,
    before_shutdown: Callable[[], Awaitable[None]] | None = None,
    stop: asyncio.Event | None = None,
    tls: Tls | None = None,
    trusted_proxies: Sequence[str] = (),
    grace: int = 10,
    lifespan: bool = True,
) -> None:
    """Serve `app` until SIGTERM, SIGINT or `stop`; a second signal ends the waiting.

    Port 0 takes a free one; `on_started` gets the host and the port that it listens on, once the application is up.
    At the end no new connection is taken any more, `before_shutdown` is awaited, then every connection that is left is
    closed with 1012 and has `grace` seconds. `X-Forwarded-For` counts only from `trusted_proxies`. Without `lifespan` the
    caller runs what the application needs.

    Raises `Unavailable` when the address is taken or the application does not start, `ConfigError` for an address or a
    certificate that cannot be used.
    """
    config = _uvicorn_config(app, tls, trusted_proxies, grace, lifespan=lifespan)
    sockets = await listen(host, port)
    server = _Server(config, stop or asyncio.Event(), before_shutdown)
    try:
        await server.serve_on(sockets, lambda: on_started(host, sockets[0].getsockname()[1]))
    except asyncio.CancelledError:
        if server.started:
            await server.lifespan.shutdown()
        raise
    except SystemExit as exit_:  # uvicorn's way to say that the lifespan's startup failed
        raise Unavailable("The application did not start.", fix="The log above says why.") from exit_
    finally:
        server.cut_off()
        for listening in sockets:
            listening.close()


async def listen(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen on every address of `host`, all on one port."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ConfigError(f"{host} is not an address to listen on: {error}.") from error
    sockets: list[socket.socket] = []
    try:
        for family, address in dict.fromkeys((family, address) for family, *_, address in found):
            port = port or (sockets[0].getsockname()[1] if sockets else 0)
            listening = socket.create_server((address[0], port), family=family, backlog=BACKLOG)
            # Those that it accepts have it from here: uvloop sets it itself, asyncio only where it made the socket.
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sockets.append(listening)
    except OSError as error:
        for bound in sockets:
            bound.close()
        raise Unavailable(
            f"Cannot listen on {host} port {port}: {error.strerror}.",
            reason="address_in_use",
            fix="Stop what listens there, or choose another port.",
        ) from error
    return sockets


def _uvicorn_config(
    app: Any, tls: Tls | None, trusted_proxies: Sequence[str], grace: int, *, lifespan: bool
) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        interface="asgi3",
        lifespan="on" if lifespan else "off",
        loop="none",
        http=UpgradingHttpProtocol,
        ws=HandoverProtocol,
        ws_per_message_deflate=False,
        log_config=None,
        log_level="info",  # below, uvicorn writes request targets, and with them API keys
        access_log=False,
        server_header=False,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=list(trusted_proxies),
        backlog=BACKLOG,
        timeout_graceful_shutdown=grace,
        ssl_certfile=tls.certificate if tls else None,
        ssl_keyfile=tls.key if tls else None,
    )
    try:
        config.load()
    except OSError as error:
        raise ConfigError(f"The TLS certificate or its key cannot be used: {error}.") from error
    return config


class _Server(uvicorn.Server):
    """uvicorn's server with our way to stop: it lets the application drain, and ends without ending the process."""

    def __init__(
        self, config: uvicorn.Config, stop: asyncio.Event, before_shutdown: Callable[[], Awaitable[None]] | None
    ) -> None:
        super().__init__(config)
        self.servers = []
        self._stop = stop
        self._before_shutdown = before_shutdown
        self._on_started: Callable[[], None] = lambda: None

    async def serve_on(self, sockets: list[socket.socket], on_started: Callable[[], None]) -> None:
        self._on_started = on_started
        await self.serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_started()

    async def main_loop(self) -> None:
        """uvicorn's, which looks ten times a second, but wakes at once when it is told to stop."""
        counter = 0
        while not (await self.on_tick(counter) or self._stop.is_set()):
            counter = (counter + 1) % A_DAY_OF_TICKS
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_SECONDS):
                    await self._stop.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        try:
            if self._before_shutdown is not None:
                await self._before_shutdown()
        finally:
            await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Unlike uvicorn's, it doesn't raise the signal again at the end: the caller still has a store to close."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        handled = (signal.SIGTERM, signal.SIGINT)
        for number in handled:
            loop.add_signal_handler(number, self._signalled)
        try:
            yield
        finally:
            for number in handled:
                loop.remove_signal_handler(number)

    def _signalled(self) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True
        self._stop.set()

    def cut_off(self) -> None:
        """Abort what did not end in time, or everything when `serve` was cancelled."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            if isinstance(connection, RawTransport):
                connection.abort()
            else:
                connection.transport.abort()
