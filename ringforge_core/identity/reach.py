"""How far an agent may go within its tenant."""

from __future__ import annotations

import sqlalchemy as sa

from ringforge_core.identity.agent_rows import is_agent
from ringforge_core.identity.tables import agents, api_keys
from ringforge_core.plugin.capability import AgentSession
from ringforge_core.ports.store import Store


async def may_change_fleet(store: Store, session: AgentSession) -> bool:
    """A key for one fleet keeps its agents there, unless an admin let the agent administer fleets.

    With a key for the whole tenant the agent could reach the other fleets anyway.
    """
    of_session = sa.and_(api_keys.c.tenant_id == session.tenant_id, api_keys.c.id == session.key_id)
    is_unscoped = sa.exists().where(of_session, api_keys.c.fleet_id.is_(None))
    query = sa.select(sa.or_(agents.c.fleet_admin, is_unscoped)).where(is_agent(session.tenant_id, session.agent_id))
    return bool(await store.read(lambda connection: connection.scalar(query)))
