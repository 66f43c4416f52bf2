"""Profiles: what an agent shows of itself beyond its presence, and its move to another fleet.

    messages.py      the events' requests and replies; the pushes are those of `identity.agent_events`
    capability.py    the rules of the socket; what is stored is decided by `identity.agents`, as over HTTP

Whoever changes a profile or moves an agent, an admin or the agent itself: the fleet hears of it by an event of the topic
`agents`, which this capability delivers.
"""

from typing import Any

from ringforge_core.mesh.profiles.capability import ProfilesCapability
from ringforge_core.plugin import Capability, hookimpl

__all__ = ["ProfilesCapability", "ringforge_capability"]


@hookimpl
def ringforge_capability() -> type[Capability[Any]]:
    return ProfilesCapability
