"""One change on its way through the writer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from ringforge_core.ports.event_bus import Event
from ringforge_core.ports.store import Charge, Once, Write


class Work:
    """A command with its write function, the future its caller waits on, and what became of it."""

    __slots__ = ("charges", "command", "error", "future", "once", "result", "write")

    def __init__(
        self,
        write: Write[Any, Any],
        command: Any,
        once: Once | None,
        future: asyncio.Future[Any],
        charges: Sequence[Charge] = (),
    ) -> None:
        self.write = write
        self.command = command
        self.once = once
        self.future = future
        self.charges = charges
        self.result: Any = None
        self.error: Exception | None = None

    def resume(self) -> None:
        """Answer the caller, unless it has gone."""
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class Committed:
    """What one commit did: whom to answer, its events in `seq` order, and the works that wait for the next commit."""

    __slots__ = ("answered", "deferred", "events")

    def __init__(self, works: Sequence[Work], deferred: Sequence[Work] = (), events: Sequence[Event] = ()) -> None:
        waiting = set(deferred)
        self.answered = [work for work in works if work not in waiting] if waiting else works
        self.deferred = list(deferred)
        self.events = events
