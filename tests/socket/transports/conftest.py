"""An echo hub over both transports: under our server, under uvicorn's stock protocol, under hypercorn."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NamedTuple

import hypercorn.asyncio
import hypercorn.config
import msgspec
import pytest
import uvicorn
import uvloop
from litestar import Litestar, WebSocket, get, websocket
from litestar.exceptions import NotAuthorizedException, WebSocketDisconnect
from raw_websocket import DEADLINE, RawClient

from ringforge_core.socket.asgi import AsgiTransport
from ringforge_core.socket.bounds import Bounds
from ringforge_core.socket.raw import take_over
from ringforge_core.socket.rfc6455 import text_frame
from ringforge_core.socket.server import serve
from ringforge_core.socket.transport import Transport

BOUNDS = Bounds(max_message=1 << 20, high_water=256 << 10, low_water=64 << 10, close_timeout=0.5)


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """uvloop keeps the protocol's methods, asyncio doesn't; they differ in closing too: everything runs on both."""
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


async def eventually(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110  # conditions on foreign state, where no event can be set
            await asyncio.sleep(0.005)


class Echo:
    """A receiver that answers each text with itself and writes down what it was told."""

    transport: Transport

    def __init__(self) -> None:
        self.texts: list[bytes] = []
        self.binaries: list[bytes] = []
        self.alive = 0
        self.drained = 0
        self.closed: list[tuple[int, str]] = []
        self.echo = True
        self.pause_each = False

    def on_text(self, message: bytes) -> None:
        assert not self.closed
        self.texts.append(message)
        if self.pause_each:
            self.transport.pause_reading()
        if self.echo:
            self.transport.write(text_frame(message))

    def on_binary(self, message: bytes) -> None:
        self.binaries.append(message)

    def on_alive(self) -> None:
        self.alive += 1

    def on_drained(self) -> None:
        self.drained += 1

    def on_closed(self, code: int, reason: str) -> None:
        self.closed.append((code, reason))


class EchoHub:
    """A Litestar application with the route that the hub has, and one that stays with ASGI."""

    def __init__(self) -> None:
        self.port = 0
        self.bounds = BOUNDS
        self.connections: list[Echo] = []
        self.scopes: list[Any] = []
        self.authenticated = asyncio.Event()
        self.authenticated.set()
        self.accepted = asyncio.Event()
        self.accepted.set()
        self.app = Litestar([self._route(), _plain, _health], openapi_config=None, logging_config=None)

    def _route(self) -> Any:
        @websocket("/ws", opt={"hub": self})
        async def ws(socket: WebSocket[Any, Any, Any]) -> None:
            self.scopes.append(socket.scope)
            await self.authenticated.wait()
            if b"refuse" in socket.scope["query_string"]:
                raise NotAuthorizedException
            await socket.accept()
            await self.accepted.wait()
            echo = Echo()
            transport = take_over(socket.scope, echo, self.bounds)
            if transport is not None:
                self._opened(echo, transport, socket.scope)
                if b"fail" in socket.scope["query_string"]:
                    raise RuntimeError("after the take-over")
                return
            asgi = AsgiTransport(socket.receive, socket.send, echo, self.bounds)
            self._opened(echo, asgi, socket.scope)
            await asgi.run()

        return ws

    def _opened(self, echo: Echo, transport: Transport, scope: Any) -> None:
        echo.transport = transport
        self.connections.append(echo)
        if b"turn_away" in scope["query_string"]:
            transport.write(text_frame(b"sorry"))
            transport.close(1008, "not today")

    async def connect(self, target: str = "/ws") -> tuple[RawClient, Echo]:
        """A raw client and the hub's side of its connection."""
        known = len(self.connections)
        client = await RawClient.connect(self.port, target)
        await eventually(lambda: len(self.connections) > known)
        return client, self.connections[-1]

    def never_cut_off(self) -> None:
        """From here on a closing handshake that does not end by itself fails the test."""
        self.bounds = msgspec.structs.replace(self.bounds, close_timeout=600)

    async def serves(self) -> None:
        """Fails unless a new connection is served."""
        client, _ = await self.connect()
        client.send(b"\x81\x82\x00\x00\x00\x00hi")
        assert await client.text() == "hi"
        client.vanish()


@websocket("/plain")
async def _plain(socket: WebSocket[Any, Any, Any]) -> None:
    await socket.accept()
    try:
        while True:
            await socket.send_text(await socket.receive_text())
    except WebSocketDisconnect:
        pass


@get("/health", sync_to_thread=False)
def _health() -> str:
    return "ok"


@asynccontextmanager
async def our_server(hub: EchoHub, **options: Any) -> AsyncIterator[None]:
    stop = asyncio.Event()
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    options = {"host": "127.0.0.1", "port": 0, "stop": stop, "grace": 5} | options
    task = asyncio.create_task(serve(hub.app, on_started=lambda host, port: started.set_result(port), **options))
    await asyncio.wait((task, started), return_when=asyncio.FIRST_COMPLETED, timeout=DEADLINE)
    if task.done():
        task.result()
    hub.port = started.result()
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, DEADLINE)


@asynccontextmanager
async def stock_uvicorn(hub: EchoHub) -> AsyncIterator[None]:
    config = uvicorn.Config(
        hub.app, port=0, ws="websockets-sansio", loop="none", log_config=None, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve())  # not serve(): it would take the signals of the test run
    await eventually(lambda: server.started)
    hub.port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield
    finally:
        server.should_exit = True
        await asyncio.wait_for(task, DEADLINE)


@asynccontextmanager
async def stock_hypercorn(hub: EchoHub) -> AsyncIterator[None]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        hub.port = free.getsockname()[1]
    config = hypercorn.config.Config()
    config.bind = [f"127.0.0.1:{hub.port}"]
    config.graceful_timeout = config.shutdown_timeout = 1
    stop = asyncio.Event()
    task = asyncio.create_task(hypercorn.asyncio.serve(hub.app, config, shutdown_trigger=stop.wait))
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                (await asyncio.open_connection("127.0.0.1", hub.port))[1].close()
                break
            except OSError:
                await asyncio.sleep(0.01)
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, DEADLINE)


class Server(NamedTuple):
    """How the hub is served, and where that server differs from what `Receiver` and `Transport` say."""

    serving: Callable[[EchoHub], AbstractAsyncContextManager[None]]
    tells_close_code: bool = True
    vanished: int = 1006
    last_words: bytes = b""
    """What a peer gets when its connection is aborted."""
    names_violations: bool = True


SERVERS = {
    "raw": Server(our_server),
    # every lost connection is a 1005 to uvicorn
    "asgi-uvicorn": Server(stock_uvicorn, vanished=1005),
    # every disconnect is a 1006 to hypercorn; an application that returns is closed with 1011; invalid text ends its
    # connection without a close frame
    "asgi-hypercorn": Server(
        stock_hypercorn, tells_close_code=False, last_words=b"\x88\x02\x03\xf3", names_violations=False
    ),
}


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Server:
    return SERVERS[request.param]


@pytest.fixture
async def hub(server: Server) -> AsyncIterator[EchoHub]:
    """The echo hub under each of the servers."""
    echo_hub = EchoHub()
    async with server.serving(echo_hub):
        yield echo_hub


@pytest.fixture
async def raw_hub() -> AsyncIterator[EchoHub]:
    """The echo hub under our own server."""
    echo_hub = EchoHub()
    async with our_server(echo_hub):
        yield echo_hub


@pytest.fixture
def wait_until() -> Callable[[Callable[[], Any]], Awaitable[None]]:
    return eventually


@pytest.fixture
def serving() -> Callable[..., AbstractAsyncContextManager[EchoHub]]:
    """`async with serving(option=…) as hub`: the echo hub under our server with other options."""

    @asynccontextmanager
    async def start(hub: EchoHub | None = None, **options: Any) -> AsyncIterator[EchoHub]:
        hub = hub or EchoHub()
        async with our_server(hub, **options):
            yield hub

    return start
