"""How many events each fleet had in each minute: counted in the commit of the events themselves.

So the counts are right whichever hub committed, and after any crash, and a look at the last hour reads some hundred rows
instead of the log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert  # its `on_conflict` clauses are valid SQLite as well

from ringforge_core.ports.event_bus import Event
from ringforge_core.ports.store import Transaction
from ringforge_core.store.tables import event_counts

KEPT = timedelta(hours=2)

_insert = insert(event_counts)
_ADD = _insert.on_conflict_do_update(
    index_elements=["fleet_id", "minute", "push"], set_={"counted": event_counts.c.counted + _insert.excluded.counted}
)


def count_events(transaction: Transaction, events: Sequence[Event]) -> None:
    """Count them in the minute that they happened."""
    counts = Counter((event.fleet_id, minute_of(event.at), event.push, event.tenant_id) for event in events)
    names = ("fleet_id", "minute", "push", "tenant_id", "counted")
    rows = [dict(zip(names, (*key, counted), strict=True)) for key, counted in sorted(counts.items())]  # no deadlocks
    transaction.execute(_ADD, rows)


def read_counts(
    connection: sa.Connection, tenant_id: str, fleet_id: str, *, since: datetime
) -> Sequence[tuple[datetime, str, int]]:
    """The minute, the push and how many, for each minute that had some; the oldest first."""
    query = (
        sa.select(event_counts.c.minute, event_counts.c.push, event_counts.c.counted)
        .where(
            event_counts.c.tenant_id == tenant_id,
            event_counts.c.fleet_id == fleet_id,
            event_counts.c.minute >= minute_of(since),
        )
        .order_by(event_counts.c.minute)
    )
    return [
        (datetime.fromtimestamp(minute * 60, UTC), push, counted) for minute, push, counted in connection.execute(query)
    ]


def forget_counts(transaction: Transaction, commands: Sequence[datetime]) -> list[int]:
    """Delete those of minutes before the instants given; returns how many."""
    return [
        transaction.execute(event_counts.delete().where(event_counts.c.minute < minute_of(before))).rowcount
        for before in commands
    ]


def minute_of(at: datetime) -> int:
    """Minutes since 1970."""
    return int(at.timestamp()) // 60
