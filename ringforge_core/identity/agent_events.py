"""What a fleet hears of its agents beyond presence; source: wire protocol 3.10.

The events are of the topic `agents`, which the capability profiles delivers.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from ringforge_core.identity.ids import new_event_id
from ringforge_core.plugin.messages import Push, Reply, encode_message
from ringforge_core.ports.event_bus import Event

TOPIC = "agents"


class Profile(msgspec.Struct, kw_only=True):
    """What an agent shows of itself; instants are ISO 8601 UTC."""

    agent_id: str
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
    last_seen_at: str | None
    inserted_at: str


class ProfileUpdated(Profile, Reply, Push):
    """An agent's profile is another one now. The agent that changed it gets the same as its reply."""

    wire = "agent:profile_updated"


class AgentDeparted(Push):
    """An agent went to another fleet of the tenant."""

    wire = "agent:departed"

    agent_id: str
    target_fleet_id: str


class AgentArrived(Push):
    """An agent came from another fleet of the tenant."""

    wire = "agent:arrived"

    agent_id: str
    from_fleet_id: str


def agent_event(
    push: ProfileUpdated | AgentDeparted | AgentArrived, *, tenant_id: str, fleet_id: str, at: datetime
) -> Event:
    """The event that tells a fleet."""
    return Event(
        event_id=new_event_id(),
        tenant_id=tenant_id,
        fleet_id=fleet_id,
        topic=TOPIC,
        push=push.wire,
        body=msgspec.Raw(encode_message(push)),
        at=at,
        key=push.agent_id,
        kind=push.wire,
        agent_id=push.agent_id,
    )
