"""What the benchmark needs to know of a server."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from enum import Enum
from pathlib import Path
from typing import ClassVar

import msgspec

STAMP = "RFTS" + "0" * 24
"""Where the load generator writes the time of sending and a sequence number; see `native/stamp.h`."""

AGENT = "AGENT00000"
"""Where it writes the sender's number; see `native/message.c`."""

PARTNER = "PARTNER00000000"
"""Where it writes the agent id of the sender's partner."""


class Verb(Enum):
    """What a client does in a scenario; each server has its own event for it, or none."""

    PUBLISH = "tell every member of the fleet, durably where the server can"
    PUBLISH_EPHEMERAL = "tell every member of the fleet, kept nowhere"
    WRITE = "change something durably that nobody is told of"
    SET = "set a value under a key of one's own, durably"
    DIRECT = "write to one other, durably where the server can"
    REQUEST = "ask for something small"


class Push(msgspec.Struct, frozen=True):
    """An event and its payload, JSON text."""

    event: str
    payload: str

    def padded(self, count: int) -> Push:
        """The same with so many bytes more, in the text that holds the stamp."""
        return Push(self.event, self.payload.replace(STAMP, STAMP + " " + "x" * count))


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A server that serves."""

    port: int
    pid: int
    start_seconds: float
    """From the start of the process until it answered."""
    protocol: str = "phoenix"
    path: str = "/ws/websocket?vsn=2.0.0"
    topic: str = "fleet:lobby"
    keys_file: Path | None = None
    """API keys, one a line; each is of another fleet."""
    pushes: dict[Verb, Push]
    """How this server is asked to do each of its verbs."""


class Contender(ABC):
    """What is measured beside others, in whatever way a scenario does that."""

    name: ClassVar[str]
    title: ClassVar[str]

    @abstractmethod
    def missing(self) -> str | None:
        """What to install before it can run; None when nothing is missing."""


class Server(Contender):
    verbs: ClassVar[frozenset[Verb]] = frozenset(Verb)
    """What it can do; scenarios that need more leave it out."""

    @abstractmethod
    def start(self, core: int, fleets: int = 1) -> AbstractContextManager[Running]:
        """A fresh server without data on that core, with a key for each of so many fleets where it has keys."""
