"""An agent is sent away, and barred from coming back or let in again: the writes, with their entries in the audit log.

Who is barred is refused at every way in; `RevocationWatch` closes what it has open at any hub.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from ringforge_core.errors import RingforgeError
from ringforge_core.identity.actor import Actor
from ringforge_core.identity.agent_changes import find_agent
from ringforge_core.identity.agent_rows import is_agent, no_such_agent
from ringforge_core.identity.ids import now
from ringforge_core.identity.tables import agents
from ringforge_core.plugin.records import AgentInfo
from ringforge_core.ports.store import Store, Transaction


class Kick(msgspec.Struct, frozen=True):
    tenant_id: str
    agent_id: str
    block: bool
    actor: Actor
    at: datetime


class Unblock(msgspec.Struct, frozen=True):
    tenant_id: str
    agent_id: str
    actor: Actor


async def kick_agent(store: Store, tenant_id: str, agent_id: str, *, block: bool, actor: Actor) -> AgentInfo:
    """Note that the agent is sent away; the caller closes its connections. Raises `NotFound`."""
    return await store.apply(note_kicks, Kick(tenant_id, agent_id, block, actor, now()))


async def unblock_agent(store: Store, tenant_id: str, agent_id: str, *, actor: Actor) -> AgentInfo:
    """Let a barred agent in again. Raises `NotFound`."""
    return await store.apply(unblock_agents, Unblock(tenant_id, agent_id, actor))


def note_kicks(tx: Transaction, commands: Sequence[Kick]) -> list[AgentInfo | RingforgeError]:
    return [_kick(tx, command) for command in commands]


def unblock_agents(tx: Transaction, commands: Sequence[Unblock]) -> list[AgentInfo | RingforgeError]:
    return [_unblock(tx, command) for command in commands]


def _kick(tx: Transaction, command: Kick) -> AgentInfo | RingforgeError:
    agent = find_agent(tx, command.tenant_id, command.agent_id)
    if agent is None:
        return no_such_agent()
    if command.block:
        _set_disabled(tx, command.tenant_id, agent.agent_id, command.at)
    action = "agent.blocked" if command.block else "agent.kicked"
    tx.audit(command.actor.did(action, command.tenant_id, target=("agent", agent.agent_id)))
    return agent


def _unblock(tx: Transaction, command: Unblock) -> AgentInfo | RingforgeError:
    agent = find_agent(tx, command.tenant_id, command.agent_id)
    if agent is None:
        return no_such_agent()
    _set_disabled(tx, command.tenant_id, agent.agent_id, None)
    tx.audit(command.actor.did("agent.unblocked", command.tenant_id, target=("agent", agent.agent_id)))
    return agent


def _set_disabled(tx: Transaction, tenant_id: str, agent_id: str, at: datetime | None) -> None:
    tx.execute(agents.update().where(is_agent(tenant_id, agent_id)).values(disabled_at=at))
