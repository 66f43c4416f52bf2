"""An agent as it is stored, for those who look at agents rather than being one."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ringforge_core.errors import NotFound
from ringforge_core.identity.agent_events import Profile
from ringforge_core.identity.ids import iso
from ringforge_core.identity.tables import agents, fleets
from ringforge_core.plugin.records import AgentInfo


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


def profile_of(agent: AgentInfo) -> dict[str, Any]:
    """The fields of a `Profile`: what other agents of the fleet may see."""
    shown = {name: getattr(agent, name) for name in Profile.__struct_fields__}
    last_seen = None if agent.last_seen_at is None else iso(agent.last_seen_at)
    return shown | {"last_seen_at": last_seen, "inserted_at": iso(agent.inserted_at)}


def is_agent(tenant_id: str, agent_id: str) -> sa.ColumnElement[bool]:
    """The condition for one agent, by its `ag_…` or by the UUID of its row."""
    return sa.and_(agents.c.tenant_id == tenant_id, sa.or_(agents.c.agent_id == agent_id, agents.c.id == agent_id))


def mentions(text: str) -> sa.ColumnElement[bool]:
    """The condition for agents with the text in their id, name or capabilities, whatever its case."""
    searched = (agents.c.agent_id, agents.c.name, sa.cast(agents.c.capabilities, sa.Text))
    return sa.or_(*(column.icontains(text, autoescape=True) for column in searched))


def no_such_agent() -> NotFound:
    return NotFound(
        "There is no such agent.", reason="agent_not_found", fix="Take an id of presence:roster.", field="agent_id"
    )
