"""An agent as it is stored, for those who look at agents rather than being one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from ringforge_core.errors import NotFound
from ringforge_core.identity.agent_events import Profile
from ringforge_core.identity.ids import iso
from ringforge_core.identity.tables import agents, fleets


class AgentInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about an agent but its public key; instants are aware."""

    id: str
    agent_id: str
    fleet_id: str
    fleet_name: str
    name: str | None
    display_name: str | None
    avatar_url: str | None
    description: str | None
    tags: list[str]
    metadata: dict[str, Any]
    framework: str | None
    capabilities: list[str]
    total_connections: int
    total_messages: int
    last_seen_at: datetime | None
    inserted_at: datetime
    fleet_admin: bool
    has_public_key: bool

    def profile(self) -> dict[str, Any]:
        """The fields of a `Profile`: what other agents of the fleet may see."""
        shown = {name: getattr(self, name) for name in Profile.__struct_fields__}
        last_seen = None if self.last_seen_at is None else iso(self.last_seen_at)
        return shown | {"last_seen_at": last_seen, "inserted_at": iso(self.inserted_at)}


def select_agents(tenant_id: str) -> sa.Select[Any]:
    """The tenant's agents, each row with the fields of an `AgentInfo`."""
    has_public_key = agents.c.public_key.is_not(None).label("has_public_key")
    of_agent = ("id", "agent_id", "fleet_id", "name", "display_name", "avatar_url", "description", "tags", "metadata",
                "framework", "capabilities", "total_connections", "total_messages", "last_seen_at", "inserted_at",
                "fleet_admin")  # fmt: skip
    return (
        sa.select(*(agents.c[name] for name in of_agent), fleets.c.name.label("fleet_name"), has_public_key)
        .join(fleets, fleets.c.id == agents.c.fleet_id)
        .where(agents.c.tenant_id == tenant_id)
    )


def info_of(row: sa.RowMapping) -> AgentInfo:
    return AgentInfo(**row)


def is_agent(tenant_id: str, agent_id: str) -> sa.ColumnElement[bool]:
    """The condition for one agent, by its `ag_…` or by the UUID of its row."""
    return sa.and_(agents.c.tenant_id == tenant_id, sa.or_(agents.c.agent_id == agent_id, agents.c.id == agent_id))


def no_such_agent() -> NotFound:
    return NotFound(
        "There is no such agent.", reason="agent_not_found", fix="Take an id of presence:roster.", field="agent_id"
    )
