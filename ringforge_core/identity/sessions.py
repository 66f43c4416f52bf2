"""When each agent was connected, from where, and why it ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from ringforge_core.identity.ids import now
from ringforge_core.identity.tables import agent_sessions
from ringforge_core.plugin.capability import AgentSession
from ringforge_core.ports.store import Store, Transaction

KEPT = 50
"""Sessions kept of each agent, the newest."""


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


class Sessions:
    """The session rows of this node's connections."""

    def __init__(self, store: Store, *, node: str) -> None:
        self._store = store
        self._node = node

    async def open(self, session: AgentSession) -> None:
        """Note that the agent is connected; its oldest sessions are forgotten."""
        await self._store.apply(_open, Opening(session, self._node, now()))

    async def close(self, session_id: str, tenant_id: str, reason: str) -> None:
        """Note the end, once; a session that is not there, or is another tenant's, is none to close."""
        await self._store.apply(_close, Closing(session_id, tenant_id, reason, now()))

    async def close_stale(self) -> int:
        """Close what a crash of this node left open, before its first connection; returns how many."""
        return await self._store.apply(_close_stale, Abandoned(self._node, now()))


def _open(transaction: Transaction, commands: Sequence[Opening]) -> list[None]:
    transaction.execute(
        agent_sessions.insert(),
        [
            {
                "id": command.session.session_id,
                "tenant_id": command.session.tenant_id,
                "agent_id": command.session.agent_id,
                "fleet_id": command.session.fleet_id,
                "node": command.node,
                "ip_address": command.session.address,
                "connected_at": command.at,
            }
            for command in commands
        ],
    )
    agents = {(command.session.tenant_id, command.session.agent_id) for command in commands}
    transaction.execute(_FORGET, [{"of_tenant": tenant_id, "of_agent": agent_id} for tenant_id, agent_id in sorted(agents)])
    return [None] * len(commands)


def _close(transaction: Transaction, commands: Sequence[Closing]) -> list[None]:
    transaction.execute(
        _END,
        [
            {"session": command.session_id, "of_tenant": command.tenant_id, "reason": command.reason, "at": command.at}
            for command in commands
        ],
    )
    return [None] * len(commands)


def _close_stale(transaction: Transaction, commands: Sequence[Abandoned]) -> list[int]:
    return [
        transaction.execute(
            agent_sessions.update()
            .where(agent_sessions.c.node == command.node, agent_sessions.c.disconnected_at.is_(None))
            .values(disconnected_at=command.at, disconnect_reason="hub_restarted")
        ).rowcount
        for command in commands
    ]


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
