"""What an operator should know without looking for it: who is barred, which keys end soon, which messages nobody takes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from ringforge_core.identity.agent_rows import info_of, select_agents
from ringforge_core.identity.keys import select_unrevoked
from ringforge_core.identity.tables import agents, api_keys
from ringforge_core.mesh.inbox.tables import entries, letters
from ringforge_core.plugin.records import AgentInfo, Attention, KeyInfo, WaitingMessages

ENDS_SOON = timedelta(days=7)
WAITS_LONG = timedelta(minutes=2)
"""Most messages are kept for five minutes, the urgent ones for a day."""
SHOWN = 10


def read_attention(connection: sa.Connection, tenant_id: str, fleet_id: str, *, at: datetime) -> Attention:
    return Attention(
        _blocked(connection, tenant_id, fleet_id),
        _ending_keys(connection, tenant_id, at),
        _waiting(connection, tenant_id, fleet_id, at),
    )


def _blocked(connection: sa.Connection, tenant_id: str, fleet_id: str) -> Sequence[AgentInfo]:
    query = select_agents(tenant_id).where(agents.c.fleet_id == fleet_id, agents.c.disabled_at.is_not(None))
    found = connection.execute(query.order_by(agents.c.disabled_at.desc()).limit(SHOWN)).mappings()
    return [info_of(row) for row in found]


def _ending_keys(connection: sa.Connection, tenant_id: str, at: datetime) -> Sequence[KeyInfo]:
    soon = api_keys.c.expires_at.between(at, at + ENDS_SOON)
    query = select_unrevoked(tenant_id).where(soon).order_by(api_keys.c.expires_at).limit(SHOWN)
    return [KeyInfo(**row) for row in connection.execute(query).mappings()]


def _waiting(connection: sa.Connection, tenant_id: str, fleet_id: str, at: datetime) -> Sequence[WaitingMessages]:
    """The oldest entry of each agent tells; the capability inbox has an index for that, if the hub has the capability."""
    if not sa.inspect(connection).has_table(entries.name):
        return []
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
    return [WaitingMessages(*row) for row in connection.execute(query)]
