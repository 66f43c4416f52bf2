"""Direct messages: agents in pairs, each writes to the other."""

from __future__ import annotations

from typing import ClassVar

from bench.lab import Lab, Reading, faults, limits
from bench.loadgen import Direct
from bench.scenarios.scenario import Metric, ServerScenario
from bench.servers.server import Server, Verb

AGENTS = 100


def lost(result: Direct) -> tuple[str, ...]:
    """Every message must have been acknowledged, and have come to its recipient once."""
    found = []
    if result.delivered != result.published or result.incomplete_members:
        found.append(
            f"{result.delivered} of {result.published} messages came, {result.incomplete_members} recipients incomplete"
        )
    if result.acknowledged != result.published:
        found.append(f"{result.acknowledged} of {result.published} messages acknowledged")
    return (*found, *faults(result))


class DirectMessages(ServerScenario):
    name = "direct"
    title = "50 pairs of agents, each has one message to its partner open; acknowledged after the commit on the hub"
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(name="deliveries", unit="messages/s"),
        Metric(name="cpu", unit="µs of CPU a message", decimals=1),
        Metric(name="each_p99", unit="ms to the recipient, p99", decimals=1),
    )

    def applies_to(self, contender: Server) -> bool:
        return Verb.DIRECT in contender.verbs

    def measure(self, lab: Lab, contender: Server) -> Reading:
        with lab.start(contender) as running:
            # The reference makes pairs in the order in which they join, so they come one after another.
            result = lab.run(Direct, running, running.pushes[Verb.DIRECT], connections=AGENTS, window=1, opening=1)
        return Reading(
            values={
                "deliveries": result.rate,
                "cpu": 1e6 * result.server_cpu_s / max(result.delivered, 1),
                "each_p99": result.each_p99_ms,
            },
            faults=lost(result),
            remarks=limits(result),
        )
