"""Deleting agents, so that every node hears of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from ringforge_core.errors import RingforgeError
from ringforge_core.identity.actor import Actor
from ringforge_core.identity.agent_rows import is_agent, no_such_agent
from ringforge_core.identity.tables import agent_sessions, agents, deleted_agents
from ringforge_core.ports.store import Departure, Transaction


class AgentDeletion(msgspec.Struct, frozen=True):
    tenant_id: str
    agent_id: str
    actor: Actor
    at: datetime


class Cleanup(msgspec.Struct, frozen=True):
    """`before`: who registered later may still be on the way in."""

    tenant_id: str
    before: datetime
    actor: Actor
    at: datetime


def delete_agents(tx: Transaction, commands: Sequence[AgentDeletion]) -> list[str | RingforgeError]:
    """Each gives the deleted agent's `ag_…`."""
    return [_delete(tx, command) for command in commands]


def delete_ghosts(tx: Transaction, commands: Sequence[Cleanup]) -> list[int]:
    """Delete the agents without a name that never joined a fleet; returns how many."""
    return [_delete_ghosts(tx, command) for command in commands]


def _delete(tx: Transaction, command: AgentDeletion) -> str | RingforgeError:
    deleted = _remove(tx, command, is_agent(command.tenant_id, command.agent_id))
    if not deleted:
        return no_such_agent()
    tx.audit(command.actor.did("agent.deleted", command.tenant_id, target=("agent", deleted[0])))
    return deleted[0]


def _delete_ghosts(tx: Transaction, command: Cleanup) -> int:
    ever_joined = sa.exists().where(
        agent_sessions.c.tenant_id == agents.c.tenant_id, agent_sessions.c.agent_id == agents.c.agent_id
    )
    nameless = sa.and_(agents.c.tenant_id == command.tenant_id, agents.c.name.is_(None))
    deleted = _remove(tx, command, sa.and_(nameless, agents.c.inserted_at < command.before, ~ever_joined))
    if deleted:
        tx.audit(command.actor.did("agent.cleanup", command.tenant_id, deleted=len(deleted)))
    return len(deleted)


def _remove(tx: Transaction, command: AgentDeletion | Cleanup, condition: sa.ColumnElement[bool]) -> list[str]:
    going = tx.execute(sa.select(agents.c.agent_id).where(condition).order_by(agents.c.agent_id)).scalars().all()
    tx.depart([Departure(tenant_id=command.tenant_id, agent_id=agent_id, at=command.at) for agent_id in going])
    deleted = list(tx.execute(agents.delete().where(condition).returning(agents.c.agent_id)).scalars())
    notes = [
        {"tenant_id": command.tenant_id, "agent_id": agent_id, "deleted_at": command.at} for agent_id in sorted(deleted)
    ]
    if notes:
        tx.execute(deleted_agents.insert(), notes)
    return deleted
