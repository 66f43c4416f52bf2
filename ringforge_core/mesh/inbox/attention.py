"""Whose messages nobody takes, for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from ringforge_core.identity.tables import agents
from ringforge_core.mesh.inbox.tables import entries, letters
from ringforge_core.plugin import Concern

WAITS_LONG = timedelta(minutes=2)
"""Most messages are kept for five minutes, the urgent ones for a day."""
SHOWN = 10


def read_waiting(connection: sa.Connection, tenant_id: str, fleet_id: str, *, at: datetime) -> Sequence[Concern]:
    """The agents that take none, who waits longest first. Each one's oldest entry tells: there is an index for that."""
    queues = (
        sa.select(entries.c.agent_id, sa.func.count().label("queued"), sa.func.min(entries.c.position).label("first"))
        .where(entries.c.tenant_id == tenant_id, entries.c.fleet_id == fleet_id)
        .group_by(entries.c.agent_id)
        .subquery()
    )
    query = (
        sa.select(queues.c.agent_id, agents.c.name, queues.c.queued, letters.c.at)
        .join(entries, entries.c.position == queues.c.first)
        .join(letters, letters.c.message_id == entries.c.message_id)
        .join(agents, sa.and_(agents.c.tenant_id == tenant_id, agents.c.agent_id == queues.c.agent_id))
        .where(letters.c.at < at - WAITS_LONG, letters.c.expires_at > at)
        .order_by(letters.c.at)
        .limit(SHOWN)
    )
    return [
        Concern(
            kind="messages_waiting", title=row.name or row.agent_id, agent_id=row.agent_id, since=row.at,
            text=f"does not take its messages: {row.queued:,} {'waits' if row.queued == 1 else 'wait'}",
        )
        for row in connection.execute(query)
    ]  # fmt: skip
