"""One agent with all that is kept of it: its key, its sessions, whether it is barred."""

from __future__ import annotations

import sqlalchemy as sa

from ringforge_core.identity.agent_rows import info_of, is_agent, no_such_agent, select_agents
from ringforge_core.identity.tables import agent_sessions, agents
from ringforge_core.plugin.records import AgentDetail, SessionInfo
from ringforge_core.ports.store import Store

SESSIONS = 20


async def get_agent_detail(store: Store, tenant_id: str, agent_id: str) -> AgentDetail:
    """As of one moment. Raises `NotFound`."""

    def read(connection: sa.Connection) -> AgentDetail:
        row = connection.execute(select_agents(tenant_id).where(is_agent(tenant_id, agent_id))).mappings().one_or_none()
        if row is None:
            raise no_such_agent()
        agent = info_of(row)
        kept = sa.select(agents.c.public_key, agents.c.disabled_at).where(is_agent(tenant_id, agent.agent_id))
        key, blocked_at = connection.execute(kept).one()
        newest = (
            sa.select(*(agent_sessions.c[name] for name in SessionInfo.__struct_fields__))
            .where(agent_sessions.c.tenant_id == tenant_id, agent_sessions.c.agent_id == agent.agent_id)
            .order_by(agent_sessions.c.connected_at.desc())
            .limit(SESSIONS)
        )
        sessions = [SessionInfo(**row) for row in connection.execute(newest).mappings()]
        return AgentDetail(agent=agent, public_key=key, blocked_at=blocked_at, sessions=sessions)

    return await store.read(read)
