"""Activity: agents tell the fleet what they do, and hear of what they follow.

    messages.py            the events' requests and replies, and the push
    tables.py, migrations  what each agent follows
    subscriptions.py       the same in memory: which agents follow a tag
    fleet_agents.py        whether an agent belongs to a fleet
    capability.py          the rules

An activity reaches the whole fleet, or the subscribers of its tags, or one agent. It is in the fleet's log before it is
acknowledged; tags steer who is told at once, not who may look it up: only what went to one agent is kept from the others.
"""

from typing import Any

from ringforge_core.mesh.activity.capability import ActivityCapability
from ringforge_core.plugin import Capability, hookimpl

__all__ = ["ActivityCapability", "ringforge_capability"]


@hookimpl
def ringforge_capability() -> type[Capability[Any]]:
    return ActivityCapability
