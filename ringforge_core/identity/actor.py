"""Who does something, as the audit log names them."""

from __future__ import annotations

from typing import Any, Literal, Self

import msgspec

from ringforge_core.plugin.capability import AgentSession
from ringforge_core.ports.store import AuditEntry

ActorKind = Literal["agent", "key", "user", "operator", "system"]


class Actor(msgspec.Struct, frozen=True):
    """An agent, whoever holds an API key, a person, the operator, or the hub itself; `address` is where from."""

    kind: ActorKind
    id: str
    address: str | None = None

    @classmethod
    def of(cls, session: AgentSession) -> Self:
        return cls("agent", session.agent_id, session.address)

    def did(self, action: str, tenant_id: str, *, target: tuple[str, str] | None = None, **metadata: Any) -> AuditEntry:
        """The audit entry of a deed; `target` is a type and an id."""
        target_type, target_id = target or (None, None)
        return AuditEntry(
            tenant_id=tenant_id,
            action=action,
            actor_type=self.kind,
            actor_id=self.id,
            target_type=target_type,
            target_id=target_id,
            address=self.address,
            metadata=metadata,
        )


HUB = Actor("system", "hub")
OPERATOR = Actor("operator", "command line")
