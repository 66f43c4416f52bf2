"""A Phoenix V2 client for tests: nothing is hidden, every frame can be sent and seen as it is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

PATIENCE = 10.0
"""Seconds that a test waits for what must come."""


class Message(NamedTuple):
    """A frame from the hub."""

    join_ref: Any
    ref: Any
    topic: str
    event: str
    payload: Any

    @property
    def status(self) -> str:
        return str(self.payload["status"])

    @property
    def response(self) -> Any:
        return self.payload["response"]


class PhoenixClient:
    """One socket. `seen` keeps every frame that came, in order; `expect` waits for one and remembers where it was."""

    def __init__(
        self, url: str, *, api_key: str | None = None, agent: dict[str, Any] | None = None, query: str = ""
    ) -> None:
        pieces = [query] if query else []
        if agent is not None:
            pieces.append(f"agent={quote(json.dumps(agent))}")
        self.url = f"{url}/ws/websocket?{'&'.join(pieces)}"
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._arrived = asyncio.Condition()
        self._next_ref = 0
        self.seen: list[Message] = []
        self.closed: tuple[int, str] | None = None
        """The close code and reason, once the hub or the network has closed."""

    async def __aenter__(self) -> Self:
        self._socket = await connect(self.url, additional_headers=self._headers, compression=None, max_size=None)
        self._reader = asyncio.create_task(self._read(self._socket))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._socket is not None:
            await self._socket.close()
        if self._reader is not None:
            await self._reader

    async def send_raw(self, message: str | bytes) -> None:
        """Send a text or binary message as it is."""
        assert self._socket is not None, "not connected"  # noqa: S101 — a test's own mistake
        await self._socket.send(message)

    async def send(self, topic: str, event: str, payload: Any, *, join_ref: Any = "1", ref: Any = None) -> Any:
        """Send a frame; returns its ref."""
        if ref is None:
            self._next_ref += 1
            ref = str(self._next_ref)
        await self.send_raw(json.dumps([join_ref, ref, topic, event, payload]))
        return ref

    async def call(self, event: str, payload: Any = None, *, topic: str = "fleet:lobby", join_ref: Any = "1") -> Message:
        """Send a frame and wait for its reply."""
        ref = await self.send(topic, event, {} if payload is None else payload, join_ref=join_ref)
        return await self.expect(lambda message: message.event == "phx_reply" and message.ref == ref)

    async def ok(self, event: str, payload: Any = None, *, topic: str = "fleet:lobby", join_ref: Any = "1") -> Any:
        """`call`, and fail unless the answer is ok; returns the response."""
        message = await self.call(event, payload, topic=topic, join_ref=join_ref)
        assert message.status == "ok", message.response  # noqa: S101 — this is a test's assertion
        return message.response

    async def refused(self, event: str, payload: Any = None, *, topic: str = "fleet:lobby", join_ref: Any = "1") -> Any:
        """`call`, and fail unless it is refused; returns the error object."""
        message = await self.call(event, payload, topic=topic, join_ref=join_ref)
        assert message.status == "error", message.response  # noqa: S101 — this is a test's assertion
        assert {"reason", "message", "fix"} <= set(message.response), message.response  # noqa: S101 — as above
        return message.response

    async def join(self, payload: Any = None, *, topic: str = "fleet:lobby", join_ref: Any = "1") -> Any:
        """Join; returns the response."""
        return await self.ok("phx_join", payload, topic=topic, join_ref=join_ref)

    async def expect(self, matches: Callable[[Message], bool], *, after: int = 0) -> Message:
        """The first frame from position `after` of `seen` that matches, now or when it comes."""
        position = after
        async with asyncio.timeout(PATIENCE), self._arrived:
            while True:
                while position < len(self.seen):
                    if matches(self.seen[position]):
                        return self.seen[position]
                    position += 1
                if self.closed is not None:
                    raise AssertionError(f"closed with {self.closed} before the frame came")
                await self._arrived.wait()

    async def expect_push(self, event: str, *, after: int = 0) -> Any:
        """The payload of the first push of this event."""
        return (await self.expect(lambda message: message.event == event, after=after)).payload

    async def expect_close(self) -> tuple[int, str]:
        """The code and reason with which the hub closes."""
        async with asyncio.timeout(PATIENCE), self._arrived:
            await self._arrived.wait_for(lambda: self.closed is not None)
        assert self.closed is not None  # noqa: S101 — for the type checker
        return self.closed

    def pushes(self, event: str) -> list[Any]:
        """The payloads of all pushes of this event so far."""
        return [message.payload for message in self.seen if message.event == event]

    async def _read(self, socket: ClientConnection) -> None:
        try:
            while True:
                message = Message(*json.loads(await socket.recv()))
                async with self._arrived:
                    self.seen.append(message)
                    self._arrived.notify_all()
        except ConnectionClosed as error:
            closed = error.rcvd or error.sent
            async with self._arrived:
                self.closed = (closed.code, closed.reason) if closed else (1006, "")
                self._arrived.notify_all()
