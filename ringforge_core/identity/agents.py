"""A tenant's agents: listed, changed, moved, deleted, by its admins over HTTP and in part by the agents themselves.

Every function is scoped by the tenant: an agent of another one is not found. `agent_id` is the wire's `ag_…` or the row's
UUID. The actor goes into the audit log; who may act is for the caller to decide. With `once`, a repeat gets the first
result.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

import sqlalchemy as sa

from ringforge_core.identity.actor import Actor
from ringforge_core.identity.agent_changes import AgentChange, AgentPatch, change_agents
from ringforge_core.identity.agent_moves import AgentMove, MovedAgent, move_agents
from ringforge_core.identity.agent_rows import info_of, is_agent, mentions, no_such_agent, select_agents
from ringforge_core.identity.deletion import AgentDeletion, Cleanup, delete_agents, delete_ghosts
from ringforge_core.identity.ids import now
from ringforge_core.identity.paging import next_cursor, page_of
from ringforge_core.identity.repeatable import apply_once
from ringforge_core.identity.tables import agents
from ringforge_core.plugin.records import AgentInfo, Page
from ringforge_core.ports.store import Once, Store

ON_THE_WAY = timedelta(minutes=1)
"""How long an agent may take from its registration to its first join before it counts as a ghost."""

__all__ = [
    "AgentInfo",
    "AgentPatch",
    "MovedAgent",
    "delete_agent",
    "delete_ghost_agents",
    "get_agent",
    "list_agents",
    "move_agent",
    "read_names",
    "update_agent",
]


async def list_agents(
    store: Store, tenant_id: str, *, fleet_id: str | None = None, search: str = "", cursor: str | None = None,
    limit: int = 200,
) -> Page[AgentInfo]:  # fmt: skip
    """The tenant's agents, or those of one fleet, newest first; connected or not.

    With `search` those that have the text in their id, their name or a capability, whatever its case. Raises
    `InvalidPayload` for a cursor that no page came with.
    """
    query = select_agents(tenant_id)
    if fleet_id is not None:
        query = query.where(agents.c.fleet_id == fleet_id)
    if search:
        query = query.where(mentions(search))
    page = page_of(query, agents, cursor=cursor, limit=limit)
    rows = await store.read(lambda connection: list(connection.execute(page).mappings()))
    return Page([info_of(row) for row in rows[:limit]], next_cursor(rows, limit))


async def read_names(store: Store, tenant_id: str, agent_ids: Collection[str]) -> dict[str, str]:
    """The names of those agents that the tenant has and that have one, by id."""
    named = sa.select(agents.c.agent_id, agents.c.name).where(
        agents.c.tenant_id == tenant_id, agents.c.agent_id.in_(sorted(agent_ids)), agents.c.name.is_not(None)
    )
    rows = await store.read(lambda connection: connection.execute(named).all()) if agent_ids else []
    return {row.agent_id: row.name for row in rows}


async def get_agent(store: Store, tenant_id: str, agent_id: str, *, fleet_id: str | None = None) -> AgentInfo:
    """The agent; with `fleet_id`, only when it is in that fleet. Raises `NotFound`."""
    query = select_agents(tenant_id).where(is_agent(tenant_id, agent_id))
    if fleet_id is not None:
        query = query.where(agents.c.fleet_id == fleet_id)
    row = await store.read(lambda connection: connection.execute(query).mappings().one_or_none())
    if row is None:
        raise no_such_agent()
    return info_of(row)


async def update_agent(
    store: Store, tenant_id: str, agent_id: str, patch: AgentPatch, *, actor: Actor, once: Once | None = None
) -> AgentInfo:
    """Change what the patch gives; its fleet hears of it. Raises `NotFound`, and `Conflict` (`name_conflict`)."""
    change = AgentChange(tenant_id, agent_id, patch, actor, now())
    return await apply_once(store, change_agents, change, AgentInfo, once=once)


async def move_agent(
    store: Store, tenant_id: str, agent_id: str, fleet_id: str, *, actor: Actor, once: Once | None = None
) -> MovedAgent:
    """Move an agent to another fleet of the tenant; its channels in the old one are closed within seconds.

    Raises `NotFound` (`agent_not_found`, `fleet_not_found`) and `Conflict` (`same_fleet`, `name_conflict`).
    """
    move = AgentMove(tenant_id, agent_id, fleet_id, actor, now())
    return await apply_once(store, move_agents, move, MovedAgent, once=once)


async def delete_agent(store: Store, tenant_id: str, agent_id: str, *, actor: Actor, once: Once | None = None) -> str:
    """Delete the agent with its sessions; its connections are closed within seconds, its name is free again.

    Returns its `ag_…`. Raises `NotFound`.
    """
    return await apply_once(store, delete_agents, AgentDeletion(tenant_id, agent_id, actor, now()), str, once=once)


async def delete_ghost_agents(
    store: Store, tenant_id: str, *, actor: Actor, older_than: timedelta = ON_THE_WAY, once: Once | None = None
) -> int:
    """Delete the agents without a name that never joined a fleet; returns how many."""
    at = now()
    return await apply_once(store, delete_ghosts, Cleanup(tenant_id, at - older_than, actor, at), int, once=once)
