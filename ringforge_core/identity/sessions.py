"""When each agent was connected, from where, and why it ended."""

from __future__ import annotations

from ringforge_core.identity.ids import now
from ringforge_core.identity.session_changes import (
    Abandoned,
    Closing,
    Opening,
    close_sessions,
    close_stale_sessions,
    open_sessions,
)
from ringforge_core.plugin.capability import AgentSession
from ringforge_core.ports.store import Store


class Sessions:
    """The session rows of this node's connections."""

    def __init__(self, store: Store, *, node: str) -> None:
        self._store = store
        self._node = node

    async def open(self, session: AgentSession) -> None:
        """Note that the agent is connected; its oldest sessions are forgotten.

        Raises `LimitReached` when the tenant's plan allows no more agents at once. One that is connected already counts no
        second time.
        """
        await self._store.apply(open_sessions, Opening(session, self._node, now()))

    async def close(self, session_id: str, tenant_id: str, reason: str) -> None:
        """Note the end, once; a session that is not there, or is another tenant's, is none to close."""
        await self._store.apply(close_sessions, Closing(session_id, tenant_id, reason, now()))

    async def close_stale(self, node: str | None = None) -> int:
        """Close what a node that is gone left open; without a name what a crash of this one did, before its first
        connection. Returns how many."""
        return await self._store.apply(close_stale_sessions, Abandoned(node or self._node, now()))
