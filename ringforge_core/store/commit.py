"""One commit for all who wait: run their writes, number their events, keep their replies."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from ringforge_core.errors import PluginError, RingforgeError
from ringforge_core.ports.event_bus import Event
from ringforge_core.ports.store import Rows
from ringforge_core.store.failures import is_lost, translated
from ringforge_core.store.log import record
from ringforge_core.store.once import Idempotency, KeyTaken
from ringforge_core.store.work import Committed, Work


class OutcomeUnknown(Exception):
    """The connection broke while the commit was under way: it may have happened, so it must not be run again."""


class SqlTransaction:
    """The `Transaction` of both databases: a synchronous connection, and the events appended so far."""

    __slots__ = ("_connection", "appended")

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self.appended: list[Event] = []

    def execute(self, statement: sa.Executable, rows: Rows | Any = None) -> sa.CursorResult[Any]:
        return self._connection.execute(statement, rows)

    def append(self, event: Event) -> None:
        self.appended.append(event)


def commit(connection: sa.Connection, works: Sequence[Work], idempotency: Idempotency) -> Committed:
    """Run all works and commit once. Each has its result or error afterwards; those in `deferred` have none yet."""
    committed = Committed(works)
    transaction = connection.begin()
    try:
        fresh, copies = idempotency.answer_repeats(connection, works)
        committed.deferred += copies
        _settle(connection, fresh, idempotency, committed)
    except BaseException:
        transaction.rollback()
        raise
    try:
        transaction.commit()
    except Exception as error:
        raise OutcomeUnknown from error
    return committed


def _settle(connection: sa.Connection, works: Sequence[Work], idempotency: Idempotency, committed: Committed) -> None:
    """Run the works behind a savepoint; halve a failing lot until only the culprit is left with its error."""
    if not works:
        return
    savepoint = connection.begin_nested()
    try:
        events = _run(connection, works, idempotency)
    except Exception as error:
        if is_lost(error):
            raise
        savepoint.rollback()
        if len(works) > 1:
            middle = len(works) // 2
            _settle(connection, works[:middle], idempotency, committed)
            _settle(connection, works[middle:], idempotency, committed)
        elif isinstance(error, KeyTaken):
            committed.deferred.append(works[0])
        else:
            works[0].error = translated(error)
    else:
        savepoint.commit()
        committed.events += events


def _run(connection: sa.Connection, works: Sequence[Work], idempotency: Idempotency) -> list[Event]:
    transaction = SqlTransaction(connection)
    for write, group in groupby(works, key=lambda work: work.write):
        members = list(group)
        results = write(transaction, [work.command for work in members])
        if len(results) != len(members):
            raise PluginError(f"{write!r} returned {len(results)} results for {len(members)} commands.")
        for work, result in zip(members, results, strict=True):
            refused = isinstance(result, RingforgeError)
            work.result, work.error = (None, result) if refused else (result, None)
    idempotency.remember(connection, works)
    return record(transaction, transaction.appended)
