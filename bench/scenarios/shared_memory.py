"""Durable changes of the shared memory: state, words and event in one commit, read before they are written."""

from __future__ import annotations

from bench.scenarios.durable import DurableWrites
from bench.servers.server import Verb


class SharedMemory(DurableWrites):
    name = "memory-set"
    title = "100 agents, each sets its own key over and over, acknowledged after its commit (the reference only answers)"
    verb = Verb.SET
