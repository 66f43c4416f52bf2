"""The transport under any ASGI server: the same connection, slower.

What the server keeps to itself this cannot see: pings, fragments, its own limits and the peer's answer to a close.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from ringforge_core.socket.bounds import DEFAULT_BOUNDS, Bounds
from ringforge_core.socket.rfc6455 import NO_CODE, TOO_BIG, VANISHED, text_messages, too_big
from ringforge_core.socket.transport import Receiver, Transport


class AsgiTransport(Transport):
    """See `Transport`. It is made after the accept, with the `receive` and `send` of the ASGI connection.

    transport = AsgiTransport(socket.receive, socket.send, connection)
    await transport.run()
    """

    def __init__(
        self,
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
        receiver: Receiver,
        bounds: Bounds = DEFAULT_BOUNDS,
    ) -> None:
        self._receive = receive
        self._send = send
        self._receiver = receiver
        self._bounds = bounds
        self._outcome: tuple[int, str] | None = None
        """What `on_closed` will tell; set as soon as the end is known."""
        self._frames: deque[bytes] = deque()
        self._buffered = 0
        self._paused = False
        self._to_write = asyncio.Event()
        self._reading = asyncio.Event()
        self._reading.set()
        self._ends_at: float | None = None
        self._limit: asyncio.Timeout | None = None

    async def run(self) -> None:
        """Carry the connection until it is over, then return; the ASGI application must return too."""
        writer = asyncio.create_task(self._write_out())
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._ends_at) as self._limit:
                    await self._read_in()
        finally:
            self._limit = None
            writer.cancel()
            await asyncio.wait([writer])
            self._outcome = self._outcome or (VANISHED, "")
            self._receiver.on_closed(*self._outcome)

    # --- Transport ----------------------------------------------------------------------------------------------

    def write(self, frames: bytes, /) -> None:
        if self._outcome is None and frames:
            self._frames.append(frames)
            self._buffered += len(frames)
            self._paused = self._paused or self._buffered > self._bounds.high_water
            self._to_write.set()

    def buffered(self) -> int:
        return self._buffered

    def close(self, code: int, reason: str = "") -> None:
        if self._outcome is None:
            self._outcome = (code, reason)
            self._to_write.set()
            self._reading.set()
            self._end_within(self._bounds.close_timeout)

    def abort(self) -> None:
        self._outcome = self._outcome or (VANISHED, "")
        self._end_within(0)

    @property
    def paused(self) -> bool:
        return self._paused

    def pause_reading(self) -> None:
        if self._outcome is None:
            self._reading.clear()

    def resume_reading(self) -> None:
        self._reading.set()

    # --- inside -------------------------------------------------------------------------------------------------

    async def _read_in(self) -> None:
        while True:
            event = await self._receive()
            if event["type"] == "websocket.disconnect":
                self._outcome = self._outcome or (event.get("code") or NO_CODE, event.get("reason") or "")
                return
            await self._reading.wait()
            if self._outcome is None:
                self._deliver(event)

    def _deliver(self, event: dict[str, Any]) -> None:
        self._receiver.on_alive()
        text = event.get("text")
        message: bytes = event["bytes"] if text is None else text.encode()
        if len(message) > self._bounds.max_message:
            self.close(TOO_BIG, too_big(self._bounds.max_message))
        elif text is None:
            self._receiver.on_binary(message)
        else:
            self._receiver.on_text(message)

    async def _write_out(self) -> None:
        """Send what was written, in order; after a close also the close, and then the connection is over."""
        try:
            while self._outcome is None or self._frames:
                await self._to_write.wait()
                self._to_write.clear()
                while self._frames:
                    await self._send_messages(self._frames.popleft())
            await self._send({"type": "websocket.close", "code": self._outcome[0], "reason": self._outcome[1]})
            self._end_within(0)
        except Exception:  # noqa: BLE001  # each server has its own way to say that the client is gone
            self._end_within(self._bounds.close_timeout)  # unless the reader hears of it, with a code

    async def _send_messages(self, frames: bytes) -> None:
        for message in text_messages(frames):
            await self._send({"type": "websocket.send", "text": message.decode()})
        self._buffered -= len(frames)
        if self._paused and self._buffered <= self._bounds.low_water:
            self._paused = False
            self._receiver.on_drained()

    def _end_within(self, seconds: float) -> None:
        """End `run` at the latest after so many seconds."""
        ends_at = asyncio.get_running_loop().time() + seconds
        self._ends_at = ends_at if self._ends_at is None else min(ends_at, self._ends_at)
        if self._limit is not None:
            self._limit.reschedule(self._ends_at)
