"""Fan-out: one agent tells a fleet of 1,000, or 32 do at the same time."""

from __future__ import annotations

from typing import ClassVar

from bench.lab import Lab, Reading, faults, limits
from bench.loadgen import Fanout
from bench.scenarios.scenario import Metric, ServerScenario
from bench.servers.server import Server, Verb

MEMBERS = 1000

ONE_PUBLISHER = Metric(
    name="deliveries",
    unit="deliveries/s",
    at_least_of_reference=0.75,
    at_least_of_phoenix=2,
    phoenix_of_reference=69 / 251,
)
CPU = Metric(name="cpu", unit="µs of CPU a delivery", decimals=2)
TO_LAST = Metric(name="last_p99", unit="ms to the last member, p99", decimals=1)


def undelivered(result: Fanout) -> tuple[str, ...]:
    """Every member must have got every publication once, and every publication must have been acknowledged."""
    found = []
    if result.delivered != result.expected or result.incomplete_members:
        found.append(f"{result.delivered} of {result.expected} deliveries, {result.incomplete_members} members incomplete")
    if result.acknowledged != result.published:
        found.append(f"{result.acknowledged} of {result.published} publications acknowledged")
    return (*found, *faults(result))


class FanOut(ServerScenario):
    name = "fanout"
    title = "1,000 members, one publisher that waits for each acknowledgement; durable on the hub"
    metrics: ClassVar[tuple[Metric, ...]] = (ONE_PUBLISHER, CPU, TO_LAST)
    verb = Verb.PUBLISH
    publishers = 1

    def applies_to(self, contender: Server) -> bool:
        return self.verb in contender.verbs

    def measure(self, lab: Lab, contender: Server) -> Reading:
        with lab.start(contender) as running:
            result = lab.run(Fanout, running, running.pushes[self.verb], connections=MEMBERS, publishers=self.publishers)
        return Reading(
            values={
                "deliveries": result.rate,
                "cpu": 1e6 * result.server_cpu_s / max(result.delivered, 1),
                "last_p99": result.last_p99_ms,
                "bytes_per_delivery": result.bytes_in / max(result.delivered, 1),
            },
            faults=undelivered(result),
            remarks=limits(result),
        )


class EphemeralFanOut(FanOut):
    name = "fanout-ephemeral"
    title = "the same with an event that is kept nowhere"
    verb = Verb.PUBLISH_EPHEMERAL

    def applies_to(self, contender: Server) -> bool:
        return super().applies_to(contender) and Verb.WRITE in contender.verbs  # without it all is ephemeral


class FanOutFrom32(FanOut):
    name = "fanout-32"
    title = "1,000 members, 32 publishers that each wait for the acknowledgement; durable on the hub"
    metrics = (
        Metric(name="deliveries", unit="deliveries/s", at_least_of_phoenix=20, phoenix_of_reference=84 / 298),
        CPU,
        TO_LAST,
    )
    publishers = 32
