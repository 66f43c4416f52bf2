"""Durable changes, each acknowledged after its commit and told to nobody: the store is what is measured."""

from __future__ import annotations

from bench.scenarios.requests import CPU, Requests
from bench.scenarios.scenario import Metric
from bench.servers.server import Verb


class DurableWrites(Requests):
    name = "durable"
    title = "100 agents, one change open each, acknowledged after its commit (the reference only answers)"
    metrics = (
        Metric(name="replies", unit="changes/s", at_least=30_000),
        CPU,
        Metric(name="reply_p99", unit="ms to the acknowledgement, p99", decimals=1),
    )
    verb = Verb.WRITE
    window = 1
    fleets = 1
