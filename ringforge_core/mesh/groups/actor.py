"""Who changes a group."""

from __future__ import annotations

from typing import Literal

import msgspec

from ringforge_core.plugin import AgentSession


class Actor(msgspec.Struct, frozen=True):
    """An agent, or whoever administers the tenant; `kind` and `address` are for the audit."""

    tenant_id: str
    kind: Literal["agent", "key", "user", "operator", "system"]
    id: str
    address: str | None = None

    @property
    def agent_id(self) -> str | None:
        return self.id if self.kind == "agent" else None


def agent_actor(agent: AgentSession) -> Actor:
    return Actor(agent.tenant_id, "agent", agent.agent_id, agent.address)
