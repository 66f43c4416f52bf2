"""What was pushed and is not settled yet: watched until it is written, then settled, many in one commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

import structlog

from ringforge_core.errors import RingforgeError, Unavailable
from ringforge_core.mesh.inbox.mailbox import Mailbox
from ringforge_core.mesh.inbox.settle import Settlement, settle
from ringforge_core.plugin import Member
from ringforge_core.ports.store import Store

TICKS = 3
"""Looks in as many ticks of the loop, which is how long a write to a client that keeps up takes; then every `POLL`."""
POLL = 0.01
RETRY_SECONDS = 0.5

log = structlog.get_logger(__name__)


class Flight:
    """A message on its way through the sockets of an agent."""

    __slots__ = ("ack", "mailbox", "members", "message_id")

    def __init__(self, mailbox: Mailbox, message_id: str, *, ack: bool) -> None:
        self.mailbox = mailbox
        self.message_id = message_id
        self.ack = ack
        self.members: tuple[Member, ...] = tuple(mailbox.members)

    def state(self) -> Literal["written", "waiting", "gone"]:
        """`written` as soon as one open connection has nothing left to write, `gone` when none is open."""
        unsent = [member.unsent() for member in self.members]
        if 0 in unsent:
            return "written"
        return "gone" if all(each is None for each in unsent) else "waiting"


class Outgoing:
    """`on_written` hears of messages that wait for an acknowledgement, `on_gone` of those that no connection took,
    `on_settled` of those that left the inbox."""

    def __init__(
        self,
        store: Store,
        *,
        on_written: Callable[[Mailbox, str], None],
        on_gone: Callable[[Mailbox, str], None],
        on_settled: Callable[[Mailbox, str], None],
    ) -> None:
        self._store = store
        self._on_written = on_written
        self._on_gone = on_gone
        self._on_settled = on_settled
        self._flights: list[Flight] = []
        self._delivered: list[Flight] = []
        self._some = asyncio.Event()
        self._scheduled: asyncio.Handle | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="inbox-outgoing")

    async def stop(self) -> None:
        """Settle what is known to be written; the rest stays in the inbox."""
        self.look()
        if self._scheduled is not None:
            self._scheduled.cancel()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        with suppress(Unavailable):
            await self._settle()

    def add(self, mailbox: Mailbox, message_id: str, *, ack: bool) -> None:
        """The message was pushed to the mailbox's channels in this tick."""
        self._flights.append(Flight(mailbox, message_id, ack=ack))
        if self._scheduled is None:
            self._scheduled = asyncio.get_running_loop().call_soon(self._look_again, TICKS)

    def look(self) -> None:
        """Sort out what is written or gone by now."""
        flights, self._flights = self._flights, []
        for flight in flights:
            state = flight.state()
            if state == "waiting":
                self._flights.append(flight)
            elif state == "gone":
                self._on_gone(flight.mailbox, flight.message_id)
            elif flight.ack:
                self._on_written(flight.mailbox, flight.message_id)
            else:
                self._delivered.append(flight)
                self._some.set()

    def _look_again(self, ticks: int) -> None:
        self._scheduled = None
        self.look()
        if self._flights and self._scheduled is None:
            loop = asyncio.get_running_loop()
            if ticks > 0:
                self._scheduled = loop.call_soon(self._look_again, ticks - 1)
            else:
                self._scheduled = loop.call_later(POLL, self._look_again, 0)

    async def _run(self) -> None:
        while True:
            await self._some.wait()
            self._some.clear()
            try:
                await self._settle()
            except Unavailable as error:
                log.warning("inbox_not_settled", reason=error.reason, retry_seconds=RETRY_SECONDS)
                self._some.set()
                await asyncio.sleep(RETRY_SECONDS)
            except RingforgeError as error:
                log.error("inbox_not_settled", exc_info=error)

    async def _settle(self) -> None:
        flights, self._delivered = self._delivered, []
        if not flights:
            return
        try:
            await self._store.apply(settle, [Settlement(*flight.mailbox.address, flight.message_id) for flight in flights])
        except BaseException:
            self._delivered = flights + self._delivered  # once more is harmless: what is out is not found again
            raise
        for flight in flights:
            self._on_settled(flight.mailbox, flight.message_id)
