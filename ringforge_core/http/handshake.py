"""`GET /ws/websocket`: authenticates before the upgrade, then hands the connection over to the socket."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from litestar import Request, WebSocket, get, websocket
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler, WebsocketRouteHandler

from ringforge_core.errors import LimitReached, RingforgeError, Unavailable
from ringforge_core.http.addresses import ClientAddress
from ringforge_core.http.errors import retry_after
from ringforge_core.identity import NOTHING, Credentials, parse_connect
from ringforge_core.plugin.capability import AgentSession
from ringforge_core.socket.asgi import AsgiTransport
from ringforge_core.socket.bounds import Bounds
from ringforge_core.socket.connection import Connection
from ringforge_core.socket.gateway import Gateway
from ringforge_core.socket.raw import take_over

PATH = "/ws/websocket"
_METHODS = {"registration": "api_key", "reconnect": "api_key", "key_only": "api_key", "challenge": "ed25519"}


def handshake_handlers(
    gateway: Gateway, client_address: ClientAddress, bounds: Bounds
) -> tuple[WebsocketRouteHandler, HTTPRouteHandler]:
    """The WebSocket route, and the answer to those who call it without an upgrade."""

    @websocket(PATH)
    async def connect(socket: WebSocket) -> None:  # type: ignore[type-arg]  # Litestar's generics carry nothing here
        scope = socket.scope
        if gateway.draining:
            return await deny(socket, 503)
        address = client_address(scope)
        try:
            agent, credentials = await authenticate(gateway, scope["query_string"], scope["headers"], address)
        except Unavailable:
            return await deny(socket, 503)
        except LimitReached as error:
            return await deny(socket, 429, retry_after(error))
        except RingforgeError:
            return await deny(socket, 403)
        connection = Connection(gateway, agent=agent, credentials=credentials, address=address)
        await socket.accept(subprotocols="phoenix" if "phoenix" in scope["subprotocols"] else None)
        raw = take_over(scope, connection, bounds)
        if raw is not None:
            connection.outbox.transport = raw
            return gateway.opened(connection)
        asgi = AsgiTransport(socket.receive, socket.send, connection, bounds)
        connection.outbox.transport = asgi
        gateway.opened(connection)
        return await asgi.run()

    @get(PATH, include_in_schema=False)
    async def no_upgrade(request: Request) -> None:  # type: ignore[type-arg]  # as above
        raise HTTPException(status_code=400, detail="This is a WebSocket endpoint; connect with an upgrade.")

    return connect, no_upgrade


async def authenticate(
    gateway: Gateway, query: bytes, headers: Iterable[tuple[bytes, bytes]], address: str | None
) -> tuple[AgentSession | None, Credentials]:
    """The agent that the request proves, or the credentials that a join must complete."""
    credentials = parse_connect(query, headers)
    mode = credentials.mode
    if mode == "deferred":
        return None, NOTHING
    if mode == "key_only":
        await gateway.check_key(credentials.api_key or "", address=address, method="api_key")
        return None, credentials
    return await gateway.authenticate(credentials, address=address, method=_METHODS[mode]), NOTHING


async def deny(socket: WebSocket, status: int, headers: Mapping[str, str] | None = None) -> None:  # type: ignore[type-arg]  # as above
    """Refuse the upgrade with an empty answer; 403 is what a close before the accept becomes on any server."""
    if status != 403 and "websocket.http.response" in (socket.scope.get("extensions") or {}):
        start: Any = {"type": "websocket.http.response.start", "status": status, "headers": _encoded(headers or {})}
        body: Any = {"type": "websocket.http.response.body", "body": b""}
        await socket.send(start)
        await socket.send(body)
    else:
        await socket.close()


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]
