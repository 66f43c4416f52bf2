"""Deleting an agent, so that every node hears of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from ringforge_core.errors import NotFound, RingforgeError
from ringforge_core.identity.ids import now
from ringforge_core.identity.tables import agents, deleted_agents
from ringforge_core.ports.store import Store, Transaction


class AgentDeletion(msgspec.Struct, frozen=True):
    tenant_id: str
    agent_id: str
    at: datetime


async def delete_agent(store: Store, tenant_id: str, agent_id: str) -> None:
    """Delete the agent with its sessions; its connections are closed within seconds, its name is free again.

    Raises `NotFound` for an agent that is not there or not the tenant's.
    """
    await store.apply(_delete_agents, AgentDeletion(tenant_id, agent_id, now()))


def _delete_agents(transaction: Transaction, commands: Sequence[AgentDeletion]) -> list[RingforgeError | None]:
    return [_delete(transaction, command) for command in commands]


def _delete(transaction: Transaction, command: AgentDeletion) -> RingforgeError | None:
    of_agent = sa.and_(agents.c.tenant_id == command.tenant_id, agents.c.agent_id == command.agent_id)
    if not transaction.execute(agents.delete().where(of_agent)).rowcount:
        return NotFound("The tenant has no such agent.", reason="agent_not_found")
    note = {"tenant_id": command.tenant_id, "agent_id": command.agent_id, "deleted_at": command.at}
    transaction.execute(deleted_agents.insert(), note)
    return None
