"""Presence: which agents of the fleet are here, and what each is doing.

    messages.py      the events' requests and replies, and what is pushed
    settings.py      the table [capabilities.presence]
    entry.py         what is shown of one agent
    fleet.py         who is present in one fleet, and its roster, encoded once for all who ask
    sharing.py       what hubs tell each other of who is present at them
    welcome.py       sends the roster to those who joined, many at a time
    capability.py    the rules

An agent has one presence, however many connections it has, at whichever hubs. It is kept in memory only: after a restart
the agents join again, and that is their presence. When an agent was last seen is kept by the identity of its sessions.
"""

from typing import Any

from ringforge_core.mesh.presence.capability import PresenceCapability
from ringforge_core.plugin import Capability, hookimpl

__all__ = ["PresenceCapability", "ringforge_capability"]


@hookimpl
def ringforge_capability() -> type[Capability[Any]]:
    return PresenceCapability
