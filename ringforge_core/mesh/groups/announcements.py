"""What the fleet is told of its groups: events of its log, committed with the change."""

from __future__ import annotations

import msgspec

from ringforge_core.identity.ids import new_event_id, now
from ringforge_core.mesh.groups.group import Group
from ringforge_core.plugin import Push, encode_message
from ringforge_core.ports.event_bus import FLEET, Audience, Event

TOPIC = "groups"


def announcement(group: Group, push: Push, *, by: str, audience: Audience = FLEET) -> Event:
    """The event that brings the push to the group's fleet; `by` is who did it."""
    return Event(
        event_id=new_event_id(),
        tenant_id=group.tenant_id,
        fleet_id=group.fleet_id,
        topic=TOPIC,
        push=push.wire,
        body=msgspec.Raw(encode_message(push)),
        at=now(),
        key=group.group_id,
        kind=push.wire.partition(":")[2],
        agent_id=by,
        audience=audience,
    )
