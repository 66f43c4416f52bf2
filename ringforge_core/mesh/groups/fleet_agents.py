"""Which agents belong to a fleet, and which of them are here."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from ringforge_core.identity.lookup import select_in
from ringforge_core.identity.tables import agent_sessions, agents
from ringforge_core.ports.store import Transaction


def fleets_of_agents(tx: Transaction, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """The fleet of each `(tenant_id, agent_id)`; one that is not there, or another tenant's, is left out."""
    query = sa.select(agents.c.tenant_id, agents.c.agent_id, agents.c.fleet_id).where(
        agents.c.tenant_id.in_({tenant_id for tenant_id, _ in wanted})
    )
    rows = select_in(tx, query, agents.c.agent_id, {agent_id for _, agent_id in wanted})
    found = {(row["tenant_id"], row["agent_id"]): row["fleet_id"] for row in rows}
    return {key: fleet_id for key, fleet_id in found.items() if key in wanted}


def agents_present(tx: Transaction, tenant_id: str, fleet_id: str) -> list[str]:
    """The fleet's agents that have a session open, on whichever hub; who came first, first."""
    session = agent_sessions.c
    query = (
        sa.select(session.agent_id)
        .join(agents, sa.and_(agents.c.tenant_id == session.tenant_id, agents.c.agent_id == session.agent_id))
        .where(
            session.tenant_id == tenant_id,
            session.fleet_id == fleet_id,
            agents.c.fleet_id == fleet_id,
            session.disconnected_at.is_(None),
        )
        .group_by(session.agent_id)
        .order_by(sa.func.min(session.connected_at), session.agent_id)
    )
    return list(tx.execute(query).scalars())
