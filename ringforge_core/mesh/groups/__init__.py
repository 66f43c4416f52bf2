"""Groups: squads, pods and channels that the agents of a fleet make for themselves.

    messages.py, pushes.py what agents send, get and are told
    rules.py               what bounds groups
    settings.py            the table [capabilities.groups]
    tables.py, migrations  groups, their members, and who left a group that takes everybody in
    group.py               a group with its members
    rows.py                both as they lie in the tables
    changes.py             the groups that a batch of commands touches: read, changed and written at once
    fleet_agents.py        which agents belong to a fleet, and which of them are here
    creation.py            making groups
    membership.py          joining, leaving, roles, the end of a group: the rules of ownership
    conversation.py        messages to the members
    arrival.py             what an agent's join to the hub changes
    departure.py           what becomes of an agent's groups when it is moved or deleted
    upkeep.py, sweeper.py  idle pods, groups without an owner, old groups
    announcements.py       what the fleet is told
    queries.py             reading
    administration.py      squads for whoever administers the tenant
    squads.py              what they see of them
    capability.py          the rules, as agents meet them

`group_members` alone says who is in a group: there is no second place that could disagree. A membership outlives
connections and restarts; it ends when the agent leaves, is taken out, moved to another fleet or deleted.
"""

from typing import Any

from ringforge_core.mesh.groups.capability import GroupsCapability
from ringforge_core.plugin import Capability, hookimpl

__all__ = ["GroupsCapability", "ringforge_capability"]


@hookimpl
def ringforge_capability() -> type[Capability[Any]]:
    return GroupsCapability
