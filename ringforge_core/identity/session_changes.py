"""The writes behind `sessions`: each is charged to the plan's connected agents, and entered in the audit log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from ringforge_core.errors import RingforgeError
from ringforge_core.identity.actor import Actor
from ringforge_core.identity.lookup import select_in
from ringforge_core.identity.tables import agent_sessions, agents
from ringforge_core.plugin.capability import AgentSession
from ringforge_core.ports.store import AuditEntry, Charge, Transaction

KEPT = 50
"""Sessions kept of each agent, the newest."""
RESOURCE = "connected_agents"
RESTARTED = "hub_restarted"

AgentKey = tuple[str, str]


class Opening(msgspec.Struct, frozen=True):
    session: AgentSession
    node: str
    at: datetime


class Closing(msgspec.Struct, frozen=True):
    session_id: str
    tenant_id: str
    reason: str
    at: datetime


class Abandoned(msgspec.Struct, frozen=True):
    node: str
    at: datetime


def open_sessions(tx: Transaction, commands: Sequence[Opening]) -> list[RingforgeError | None]:
    connected = _connected(tx, commands)
    results: list[RingforgeError | None] = []
    opened: list[Opening] = []
    for command in commands:
        session = command.session
        agent = (session.tenant_id, session.agent_id)
        refusal = None if agent in connected else tx.charge(Charge(session.tenant_id, RESOURCE))
        if refusal is None:
            connected.add(agent)
            opened.append(command)
            tx.audit(_arrival(command))
        results.append(refusal)
    if opened:
        tx.execute(agent_sessions.insert(), [_row(command) for command in opened])
        keys = sorted({(command.session.tenant_id, command.session.agent_id) for command in opened})
        tx.execute(_FORGET, [{"of_tenant": tenant_id, "of_agent": agent_id} for tenant_id, agent_id in keys])
    return results


def close_sessions(tx: Transaction, commands: Sequence[Closing]) -> list[None]:
    ending = {(command.tenant_id, command.session_id): command for command in commands}
    is_open = _OPEN.where(agent_sessions.c.tenant_id.in_({command.tenant_id for command in commands}))
    for row in select_in(tx, is_open, agent_sessions.c.id, {command.session_id for command in commands}):
        if (row["tenant_id"], row["id"]) in ending:
            _tell(tx, row, ending[row["tenant_id"], row["id"]].reason)
    tx.execute(
        _END,
        [
            {"session": command.session_id, "of_tenant": command.tenant_id, "reason": command.reason, "at": command.at}
            for command in commands
        ],
    )
    return [None] * len(commands)


def close_stale_sessions(tx: Transaction, commands: Sequence[Abandoned]) -> list[int]:
    return [_close_stale(tx, command) for command in commands]


def _close_stale(tx: Transaction, command: Abandoned) -> int:
    for row in (
        tx.execute(_OPEN.where(agent_sessions.c.node == command.node).order_by(agent_sessions.c.id)).mappings().all()
    ):
        _tell(tx, row, RESTARTED)
    return tx.execute(
        agent_sessions.update()
        .where(agent_sessions.c.node == command.node, agent_sessions.c.disconnected_at.is_(None))
        .values(disconnected_at=command.at, disconnect_reason=RESTARTED)
    ).rowcount


def _connected(tx: Transaction, commands: Iterable[Opening]) -> set[AgentKey]:
    """Those of the agents that have a session. Their rows are locked first: two hubs take turns in counting one agent."""
    tenant_ids = {command.session.tenant_id for command in commands}
    agent_ids = {command.session.agent_id for command in commands}
    for _ in select_in(tx, _LOCK.where(agents.c.tenant_id.in_(tenant_ids)), agents.c.agent_id, agent_ids):
        pass
    of_tenants = _OPEN.where(agent_sessions.c.tenant_id.in_(tenant_ids))
    return {(row["tenant_id"], row["agent_id"]) for row in select_in(tx, of_tenants, agent_sessions.c.agent_id, agent_ids)}


def _arrival(command: Opening) -> AuditEntry:
    session = command.session
    return Actor.of(session).did(
        "agent.connected", session.tenant_id, target=("session", session.session_id), fleet_id=session.fleet_id,
        node=command.node, method=session.method,
    )  # fmt: skip


def _tell(tx: Transaction, row: Any, reason: str) -> None:
    actor = Actor("agent", row["agent_id"], row["ip_address"])
    tx.audit(actor.did("agent.disconnected", row["tenant_id"], target=("session", row["id"]), reason=reason))


def _row(command: Opening) -> dict[str, Any]:
    return {
        "id": command.session.session_id,
        "tenant_id": command.session.tenant_id,
        "agent_id": command.session.agent_id,
        "fleet_id": command.session.fleet_id,
        "node": command.node,
        "ip_address": command.session.address,
        "connected_at": command.at,
    }


_LOCK = sa.select(agents.c.id).order_by(agents.c.id).with_for_update()

_OPEN = sa.select(
    agent_sessions.c.id, agent_sessions.c.tenant_id, agent_sessions.c.agent_id, agent_sessions.c.ip_address
).where(agent_sessions.c.disconnected_at.is_(None))

_OF_AGENT = sa.and_(
    agent_sessions.c.tenant_id == sa.bindparam("of_tenant"), agent_sessions.c.agent_id == sa.bindparam("of_agent")
)

_OLDEST_KEPT = (
    sa.select(agent_sessions.c.connected_at)
    .where(_OF_AGENT)
    .order_by(agent_sessions.c.connected_at.desc())
    .limit(1)
    .offset(KEPT - 1)
    .scalar_subquery()
)

_FORGET = agent_sessions.delete().where(_OF_AGENT, agent_sessions.c.connected_at < _OLDEST_KEPT)

_END = (
    agent_sessions.update()
    .where(
        agent_sessions.c.id == sa.bindparam("session"),
        agent_sessions.c.tenant_id == sa.bindparam("of_tenant"),
        agent_sessions.c.disconnected_at.is_(None),
    )
    .values(disconnected_at=sa.bindparam("at"), disconnect_reason=sa.bindparam("reason"))
)
