"""What is shown of one agent: made at its join, changed by what it says."""

from __future__ import annotations

from msgspec import UNSET

from ringforge_core.mesh.presence.messages import JoinPresence, PresenceFields, RosterEntry, StateChanged
from ringforge_core.plugin import AgentSession, iso, now


def new_entry(agent: AgentSession, fields: JoinPresence, *, node: str, region: str) -> RosterEntry:
    entry = RosterEntry(
        agent_id=agent.agent_id,
        name=agent.name,
        framework=agent.framework,
        model=None,
        capabilities=list(agent.capabilities),
        state="online",
        task=None,
        load=0.0,
        connected_at=iso(now()),
        node=node,
        region=region,
    )
    apply(entry, fields)
    return entry


def apply(entry: RosterEntry, fields: PresenceFields) -> None:
    """Take over the fields that were given."""
    for name in ("state", "task", "load", "model", "framework", "capabilities"):
        value = getattr(fields, name, UNSET)
        if value is not UNSET:
            setattr(entry, name, value)


def state_of(entry: RosterEntry) -> StateChanged:
    """What the fleet hears when it is another one than before."""
    return StateChanged(
        agent_id=entry.agent_id,
        name=entry.name,
        state=entry.state,
        task=entry.task,
        load=entry.load,
        model=entry.model,
    )
