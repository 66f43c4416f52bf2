"""What an operator should know of a tenant itself: who is barred, which keys end soon. The rest the capabilities tell."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from ringforge_core.identity.agent_rows import info_of, select_agents
from ringforge_core.identity.keys import select_unrevoked
from ringforge_core.identity.tables import agents, api_keys
from ringforge_core.plugin.records import AgentInfo, KeyInfo

ENDS_SOON = timedelta(days=7)
SHOWN = 10


def read_blocked(connection: sa.Connection, tenant_id: str, fleet_id: str) -> Sequence[AgentInfo]:
    query = select_agents(tenant_id).where(agents.c.fleet_id == fleet_id, agents.c.disabled_at.is_not(None))
    found = connection.execute(query.order_by(agents.c.disabled_at.desc()).limit(SHOWN)).mappings()
    return [info_of(row) for row in found]


def read_ending_keys(connection: sa.Connection, tenant_id: str, *, at: datetime) -> Sequence[KeyInfo]:
    soon = api_keys.c.expires_at.between(at, at + ENDS_SOON)
    query = select_unrevoked(tenant_id).where(soon).order_by(api_keys.c.expires_at).limit(SHOWN)
    return [KeyInfo(**row) for row in connection.execute(query).mappings()]
