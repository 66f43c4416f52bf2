"""One commit for all who wait: run their writes, keep their replies, number their events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

from ringforge_core.errors import LimitReached, PluginError, RingforgeError, Unavailable
from ringforge_core.ports.event_bus import Event
from ringforge_core.ports.store import AuditEntry, Charge, Departure, Rows
from ringforge_core.store.bookkeeping import Account, Bookkeeping, admit, give_back
from ringforge_core.store.failures import is_outage, translated
from ringforge_core.store.log import record
from ringforge_core.store.once import Idempotency
from ringforge_core.store.outbox import put_into_outbox
from ringforge_core.store.prepared import PreparedStatements
from ringforge_core.store.work import Committed, Work


class OutcomeUnknown(Unavailable):
    """The connection broke while the commit was under way: it may have happened, so it must not be run again."""


class SqlTransaction:
    """The `Transaction` of both databases: a synchronous connection, and what is to be written before the commit."""

    __slots__ = ("_bookkeeping", "_connection", "_prepared", "account", "appended", "entries")

    def __init__(self, connection: sa.Connection, prepared: PreparedStatements, bookkeeping: Bookkeeping) -> None:
        self._connection = connection
        self._prepared = prepared
        self._bookkeeping = bookkeeping
        self.account: Account | None = None
        self.appended: list[Event] = []
        self.entries: list[AuditEntry] = []

    def execute(self, statement: sa.Executable, rows: Rows | Mapping[str, Any] | None = None) -> sa.CursorResult[Any]:
        if rows and not isinstance(rows, Mapping):
            return self._prepared.execute(self._connection, statement, rows)
        return self._connection.execute(statement, rows)

    def append(self, event: Event) -> None:
        self.appended.append(event)

    def charge(self, charge: Charge) -> LimitReached | None:
        account = self.open_account()
        return None if account is None else account.charge(charge)

    def audit(self, entry: AuditEntry) -> None:
        self.entries.append(entry)

    def depart(self, departures: Sequence[Departure]) -> None:
        for see_off in self._bookkeeping.departures if departures else ():
            see_off(self, departures)

    def open_account(self) -> Account | None:
        if self.account is None and self._bookkeeping.quotas is not None:
            self.account = self._bookkeeping.quotas.open(self)
        return self.account

    def finish(self) -> list[Event]:
        """Settle the account, enter the audit entries, and write the events; returns these numbered."""
        if self.account is not None:
            self.account.settle()
        if self.entries and self._bookkeeping.audit is not None:
            self._bookkeeping.audit.enter(self, self.entries)
        numbered = record(self, self.appended)
        if numbered and self._bookkeeping.outbox is not None:
            put_into_outbox(self, self._bookkeeping.outbox, numbered)
        return numbered


class Committer:
    """Runs the commits of one writer, one after another."""

    def __init__(self, idempotency: Idempotency, bookkeeping: Bookkeeping) -> None:
        self._idempotency = idempotency
        self._bookkeeping = bookkeeping
        self._prepared = PreparedStatements()

    def commit(self, connection: sa.Connection, works: Sequence[Work]) -> Committed:
        """Run all works and commit once; each has its result or error then, or is deferred to the next commit.

        When it raises, nothing was committed; except that after `OutcomeUnknown` nobody can tell.
        """
        try:
            return self._attempt(connection, works, isolated=False)
        except Exception as error:
            if len(works) == 1 or isinstance(error, OutcomeUnknown) or is_outage(error):
                raise
        return self._attempt(connection, works, isolated=True)  # a second time, as savepoints cost those who need none

    def _attempt(self, connection: sa.Connection, works: Sequence[Work], *, isolated: bool) -> Committed:
        batch = _Batch(connection, self._prepared, self._idempotency, self._bookkeeping)
        transaction = connection.begin()
        try:
            batch.run(works, isolated=isolated)
        except BaseException:
            transaction.rollback()
            raise
        try:
            transaction.commit()
        except Exception as error:
            raise OutcomeUnknown("The database broke off in the middle of a commit.") from error
        return Committed(works, batch.deferred, batch.events)


class _Batch:
    """The works of one commit while they run."""

    def __init__(
        self, connection: sa.Connection, prepared: PreparedStatements, idempotency: Idempotency, bookkeeping: Bookkeeping
    ) -> None:
        self._connection = connection
        self._prepared = prepared
        self._idempotency = idempotency
        self._bookkeeping = bookkeeping
        self.events: list[Event] = []
        self.deferred: list[Work] = []

    def run(self, works: Sequence[Work], *, isolated: bool) -> None:
        fresh, copies = self._idempotency.claim(self._transaction(), works)
        self.deferred += copies
        if isolated:
            self._settle(fresh)
        else:
            self._keep(*self._execute(fresh))

    def _settle(self, works: Sequence[Work], depth: int = 0) -> None:
        """Run the works behind a savepoint; halve a failing lot until only the culprit is left with its error."""
        savepoint = f"works_{depth}"
        self._connection.exec_driver_sql(f"SAVEPOINT {savepoint}")  # a fraction of what begin_nested() costs
        try:
            executed = self._execute(works)
        except Exception as error:
            if is_outage(error):
                raise
            self._connection.exec_driver_sql(f"ROLLBACK TO SAVEPOINT {savepoint}")
            if len(works) == 1:
                works[0].error = translated(error)
                return
            middle = len(works) // 2
            self._settle(works[:middle], depth + 1)
            self._settle(works[middle:], depth + 1)
        else:
            self._connection.exec_driver_sql(f"RELEASE SAVEPOINT {savepoint}")
            self._keep(*executed)

    def _keep(self, events: list[Event], again: list[Work]) -> None:
        self.events += events
        self.deferred += again

    def _execute(self, works: Sequence[Work]) -> tuple[list[Event], list[Work]]:
        """Run the works; returns their events, and the works that must be tried again in the next commit."""
        transaction = self._transaction()
        account = transaction.open_account() if any(work.charges for work in works) else None
        admitted = works if account is None else admit(account, works)
        for write, group in groupby(admitted, key=attrgetter("write")):
            members = list(group)
            results = write(transaction, [work.command for work in members])
            if len(results) != len(members):
                raise PluginError(f"{write!r} returned {len(results)} results for {len(members)} commands.")
            for work, result in zip(members, results, strict=True):
                work.result = result
                work.error = result if isinstance(result, RingforgeError) else None
        again = [] if account is None else give_back(account, works, admitted)
        self._idempotency.keep(transaction, admitted)
        return transaction.finish(), again

    def _transaction(self) -> SqlTransaction:
        return SqlTransaction(self._connection, self._prepared, self._bookkeeping)
