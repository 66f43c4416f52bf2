"""Shared memory: entries under keys that the whole fleet reads and writes.

    messages.py            the events' requests and replies, and the push
    tables.py, migrations  entries, their former versions, who follows which keys
    stored.py              an entry as a row, and as it goes over the wire
    words.py, indexing.py  the words that an entry is found by, and how they come into the index
    databases.py           what differs between the two databases, above all the index of words
    writes.py              set, delete, expire: one batch, one commit
    queries.py             one entry, a page of them, the history of a key
    cache.py, readings.py  what was read last, answered at once; how often, counted in batches
    patterns.py, subscriptions.py  who wants to hear of a key
    sweeper.py             the background: expiry, counting, forgetting
    capability.py          the rules

A change is in the fleet's log before it is acknowledged, and is pushed to those who follow its key.
"""

from typing import Any

from ringforge_core.mesh.memory.capability import MemoryCapability
from ringforge_core.plugin import Capability, hookimpl

__all__ = ["MemoryCapability", "ringforge_capability"]


@hookimpl
def ringforge_capability() -> type[Capability[Any]]:
    return MemoryCapability
