"""Fleets: an agent to which an admin granted it makes, renames and deletes the fleets of its tenant.

messages.py      the events' requests and replies
capability.py    who may, and what is answered; the rules are those of `identity.fleets`, as over HTTP
"""

from typing import Any

from ringforge_core.mesh.fleets.capability import FleetsCapability
from ringforge_core.plugin import Capability, hookimpl

__all__ = ["FleetsCapability", "ringforge_capability"]


@hookimpl
def ringforge_capability() -> type[Capability[Any]]:
    return FleetsCapability
