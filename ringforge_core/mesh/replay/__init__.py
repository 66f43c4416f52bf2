"""Replay: an agent reads the fleet's past, filtered, page by page.

    messages.py      the request and the reply
    cursor.py        where the next page begins, as text that means nothing to the client
    capability.py    the rules

Pages go forward in time. `activity:history` is the short way to the newest; a reconnect with `resume` in the join gets
what was missed by itself.
"""

from typing import Any

from ringforge_core.mesh.replay.capability import ReplayCapability
from ringforge_core.plugin import Capability, hookimpl

__all__ = ["ReplayCapability", "ringforge_capability"]


@hookimpl
def ringforge_capability() -> type[Capability[Any]]:
    return ReplayCapability
