"""The port Store: durable state, changed in group commits.

Concurrent changes share one commit: a single writer drains a queue, runs what waits, commits once, and only then answers
all of them. SQL is SQLAlchemy Core on both sides of this port; which database runs it is the adapter's matter.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

import msgspec
import sqlalchemy as sa

from ringforge_core.errors import LimitReached, RingforgeError
from ringforge_core.ports.event_bus import Event, Replay, ReplayFilter

Command = TypeVar("Command")
Result = TypeVar("Result")
Rows = Sequence[Mapping[str, Any]]


class Once(msgspec.Struct, frozen=True):
    """Makes a change happen once: the same key with the same fingerprint gets the first one's result again.

    The same key with another fingerprint is refused with `idempotency_conflict`. Under a `secret` of 32 bytes, which is not
    kept, the result is kept encrypted: each repeat must bring it along.
    """

    tenant_id: str
    owner_id: str
    operation: str
    key: str
    fingerprint: bytes
    secret: bytes | None = None


class Charge(msgspec.Struct, frozen=True):
    """What a change uses up of its tenant's quota; a negative `amount` gives back."""

    tenant_id: str
    resource: str
    amount: int = 1


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Who did what, to what, from where. `actor_type` is `agent`, `key`, `user`, `operator` or `system`."""

    tenant_id: str
    action: str
    actor_type: str
    actor_id: str
    target_type: str | None = None
    target_id: str | None = None
    address: str | None = None
    metadata: dict[str, Any] = {}


class Departure(msgspec.Struct, frozen=True, kw_only=True):
    """An agent goes: it is deleted, or moved to the fleet that it `stays_in`."""

    tenant_id: str
    agent_id: str
    at: datetime
    stays_in: str | None = None


class FleetPosition(msgspec.Struct, frozen=True):
    """How far a fleet's log goes: `seq` is the newest number, from `oldest_seq` on nothing has been trimmed."""

    epoch: str
    seq: int
    oldest_seq: int


class Transaction(Protocol):
    """What a change may do. All of it is committed together with the other changes of the batch, or not at all."""

    def execute(self, statement: sa.Executable, rows: Rows | Mapping[str, Any] | None = None) -> sa.CursorResult[Any]:
        """Run one statement, with bound values or with many rows of them."""

    def append(self, event: Event) -> None:
        """Commit the event with the change; the writer gives it its `(epoch, seq)`."""

    def charge(self, charge: Charge) -> LimitReached | None:
        """Use up quota with the change; the refusal, which goes into the results, when it does not suffice."""

    def audit(self, entry: AuditEntry) -> None:
        """Commit the entry with the change."""

    def depart(self, departures: Sequence[Departure]) -> None:
        """Let the capabilities see to what these agents leave behind; before they are deleted or moved."""


Write = Callable[[Transaction, Sequence[Command]], Sequence[Result | RingforgeError]]
"""A change as a function over a batch: one result (or refusal) per command, in order. It runs in the writer: it must not
block on anything but the transaction, and it may run again alone when a batch fails."""


class Store(ABC):
    """Every verb raises `Unavailable` when the database is gone, and never a vendor's exception."""

    @abstractmethod
    async def open(self, *, exclusive: bool = True) -> None:
        """Connect and migrate. `exclusive` claims the database for this hub: `StoreInUse` when another has it."""

    @abstractmethod
    async def close(self) -> None:
        """Commit what was accepted, then disconnect. A second call does nothing."""

    @abstractmethod
    async def apply(
        self,
        write: Write[Command, Result],
        command: Command,
        *,
        once: Once | None = None,
        charges: Sequence[Charge] = (),
    ) -> Result:
        """Run `write` over this and all waiting commands of the same `write`; returns after the commit is durable.

        A refusal in the results is raised to its own caller only. With `once`, a repeat returns the first result as
        `msgspec.Raw` and runs nothing. `charges` are used up when the command succeeds: `LimitReached` when they do not
        suffice. `Backpressure` when the queue is full.
        """

    @abstractmethod
    async def read(self, query: Callable[[sa.Connection], Result]) -> Result:
        """Run `query` on a snapshot of what is committed. The query must fetch its rows before it returns."""

    @abstractmethod
    def on_commit(self, listener: Callable[[Sequence[Event]], None]) -> None:
        """Call `listener` on the event loop with the events of each commit, in `seq` order, before callers resume."""

    @property
    @abstractmethod
    def shared(self) -> bool:
        """Whether other hubs may use the database at the same time."""

    @abstractmethod
    def signal(self, name: str, body: bytes) -> None:
        """Tell the other hubs on this database, soon and in this order; `body` is JSON text. On one of a single hub nothing
        happens. Signals are lost when a hub's connection breaks: they hint at what the database knows for certain."""

    @abstractmethod
    def on_signal(
        self, name: str, listener: Callable[[bytes], None], *, missed: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """Call `listener` on the event loop with each signal of this name that another hub sent; `missed` when some may
        have been lost."""

    @abstractmethod
    async def position(self, tenant_id: str, fleet_id: str) -> FleetPosition:
        """The log's ends. A fleet without events gets an empty log now (`seq` 0), so that its epoch is settled."""

    @abstractmethod
    async def events(self, tenant_id: str, fleet_id: str, query: ReplayFilter, *, topic: str | None = None) -> Replay:
        """Read the fleet's log (of one topic, or all); an unknown fleet has an empty one."""

    @abstractmethod
    async def trim_events(self, tenant_id: str, fleet_id: str, topic: str | None, *, before: datetime) -> int:
        """Delete events of a topic, or of all, that are older than `before`; returns how many."""
