"""How much happens in a fleet, minute by minute."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from ringforge_core.mesh.direct.messages import Message
from ringforge_core.mesh.groups.pushes import GroupMessage
from ringforge_core.plugin.records import Minute
from ringforge_core.store import read_counts

MINUTES = 60
MESSAGES = frozenset({Message.wire, GroupMessage.wire})


def read_pace(connection: sa.Connection, tenant_id: str, fleet_id: str, *, at: datetime) -> Sequence[Minute]:
    """The last `MINUTES`, those without an event, too; the last one is the present minute."""
    this = at.replace(second=0, microsecond=0)
    first = this - timedelta(minutes=MINUTES - 1)
    events: Counter[datetime] = Counter()
    messages: Counter[datetime] = Counter()
    for minute, push, counted in read_counts(connection, tenant_id, fleet_id, since=first):
        events[minute] += counted
        if push in MESSAGES:
            messages[minute] += counted
    minutes = [first + timedelta(minutes=number) for number in range(MINUTES)]
    return [Minute(minute, events[minute], messages[minute]) for minute in minutes]
