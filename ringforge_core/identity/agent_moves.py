"""Moving an agent to another fleet of its tenant: both fleets hear of it in the same commit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from ringforge_core.errors import Conflict, NotFound, RingforgeError
from ringforge_core.identity.actor import Actor
from ringforge_core.identity.agent_changes import find_agent, name_conflict, name_is_taken
from ringforge_core.identity.agent_events import AgentArrived, AgentDeparted, agent_event
from ringforge_core.identity.agent_rows import is_agent, no_such_agent
from ringforge_core.identity.tables import agents, fleets
from ringforge_core.plugin.records import AgentInfo
from ringforge_core.ports.store import Departure, Transaction


class AgentMove(msgspec.Struct, frozen=True):
    tenant_id: str
    agent_id: str
    fleet_id: str
    actor: Actor
    at: datetime


class MovedAgent(msgspec.Struct, frozen=True):
    """The agent where it is now, and where it was."""

    agent: AgentInfo
    from_fleet_id: str


def move_agents(tx: Transaction, commands: Sequence[AgentMove]) -> list[MovedAgent | RingforgeError]:
    return [_move(tx, command) for command in commands]


def _move(tx: Transaction, command: AgentMove) -> MovedAgent | RingforgeError:
    tenant_id, at = command.tenant_id, command.at
    agent = find_agent(tx, tenant_id, command.agent_id)
    if agent is None:
        return no_such_agent()
    target = sa.select(fleets.c.name).where(fleets.c.tenant_id == tenant_id, fleets.c.id == command.fleet_id)
    fleet_name = tx.execute(target).scalar_one_or_none()
    if fleet_name is None:
        return NotFound("The tenant has no such fleet.", reason="fleet_not_found", field="fleet_id")
    if agent.fleet_id == command.fleet_id:
        return Conflict("The agent is in this fleet already.", reason="same_fleet", field="fleet_id")
    if agent.name is not None and name_is_taken(tx, tenant_id, command.fleet_id, agent.name):
        return name_conflict()
    tx.depart([Departure(tenant_id=tenant_id, agent_id=agent.agent_id, at=at, stays_in=command.fleet_id)])
    moved = {"fleet_id": command.fleet_id, "moved_at": at, "updated_at": at}
    tx.execute(agents.update().where(is_agent(tenant_id, agent.agent_id)).values(moved))
    departed = AgentDeparted(agent_id=agent.agent_id, target_fleet_id=command.fleet_id)
    arrived = AgentArrived(agent_id=agent.agent_id, from_fleet_id=agent.fleet_id)
    tx.append(agent_event(departed, tenant_id=tenant_id, fleet_id=agent.fleet_id, at=at))
    tx.append(agent_event(arrived, tenant_id=tenant_id, fleet_id=command.fleet_id, at=at))
    route = {"from_fleet_id": agent.fleet_id, "to_fleet_id": command.fleet_id}
    tx.audit(command.actor.did("agent.moved", tenant_id, target=("agent", agent.agent_id), **route))
    return MovedAgent(msgspec.structs.replace(agent, fleet_id=command.fleet_id, fleet_name=fleet_name), agent.fleet_id)
