"""Request and reply: 100 agents that each keep eight small requests open."""

from __future__ import annotations

from typing import ClassVar

from bench.lab import Lab, Reading, faults, limits
from bench.loadgen import Request
from bench.scenarios.scenario import Metric, ServerScenario
from bench.servers.server import Server, Verb

CPU = Metric(name="cpu", unit="µs of CPU a reply", decimals=1)


def unanswered(result: Request) -> tuple[str, ...]:
    missing = result.sent - result.replied
    return (*((f"{missing} requests without a reply",) if missing else ()), *faults(result))


class Requests(ServerScenario):
    name = "requests"
    title = "100 clients, 8 requests open each"
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(name="replies", unit="replies/s", at_least_of_phoenix=4, phoenix_of_reference=39 / 255),
        CPU,
        Metric(name="reply_p99", unit="ms to the reply, p99", decimals=1),
    )
    verb = Verb.REQUEST
    window = 8
    fleets = 20
    """Several, so that what a fleet answers about itself is small."""

    def applies_to(self, contender: Server) -> bool:
        return self.verb in contender.verbs

    def measure(self, lab: Lab, contender: Server) -> Reading:
        with lab.start(contender, self.fleets) as running:
            result = lab.run(Request, running, running.pushes[self.verb], connections=100, window=self.window)
            event = running.pushes[self.verb].event
        return Reading(
            values={
                "replies": result.rate,
                "cpu": 1e6 * result.server_cpu_s / max(result.replied, 1),
                "reply_p99": result.reply_p99_ms,
            },
            faults=unanswered(result),
            remarks=(f"event {event}", *limits(result)),
        )
