"""The seam between a connection and what carries it: two transports, one interface.

`RawTransport` (under our own server) writes frames straight to the socket; `AsgiTransport` (under any ASGI server) goes
through `receive` and `send`. Both hand complete text messages in and take RFC 6455 server frames out, so one encoded
frame serves every member of a fleet.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol


class Receiver(Protocol):
    """What a transport tells its connection. None of these may block or raise."""

    def on_text(self, message: bytes) -> None:
        """A whole text message, valid UTF-8."""

    def on_binary(self, message: bytes) -> None:
        """A whole binary message."""

    def on_alive(self) -> None:
        """Any frame arrived, a ping too: resets the idle clock."""

    def on_drained(self) -> None:
        """The write buffer fell below its low-water mark after it had passed the high one."""

    def on_closed(self, code: int, reason: str) -> None:
        """The connection is gone; `code` is the peer's or ours, 1006 when it just vanished. Called exactly once."""


class Transport(ABC):
    __slots__ = ()

    @abstractmethod
    def write(self, frames: bytes, /) -> None:
        """Send one or more complete server frames, joined. After a close it does nothing."""

    @abstractmethod
    def buffered(self) -> int:
        """Bytes accepted by `write` that the kernel has not taken yet."""

    @abstractmethod
    def close(self, code: int, reason: str = "") -> None:
        """Send what is pending and a close frame, then wait a bounded time for the peer's. A second call does nothing."""

    @abstractmethod
    def abort(self) -> None:
        """Drop the connection without a word; `on_closed` still follows."""

    @property
    @abstractmethod
    def paused(self) -> bool:
        """True while the buffer is past the high-water mark."""

    @abstractmethod
    def pause_reading(self) -> None:
        """Take no more messages in until `resume_reading`: back-pressure to a client that sends too fast."""

    @abstractmethod
    def resume_reading(self) -> None: ...
