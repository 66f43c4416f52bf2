"""How late a broadcast is when the hub has half the work that it can do."""

from __future__ import annotations

from typing import ClassVar

from bench.lab import Lab, Reading
from bench.loadgen import Fanout
from bench.scenarios.fanout import MEMBERS, undelivered
from bench.scenarios.scenario import Metric, ServerScenario
from bench.servers.server import Server, Verb

PUBLISHERS = 32


class HalfLoad(ServerScenario):
    name = "half-load"
    title = "1,000 members, 32 publishers on a schedule at half of what the server did just before"
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(name="last_p99", unit="ms to the last member, p99", decimals=1, at_most=50),
        Metric(name="last_p50", unit="ms to the last member, p50", decimals=1),
        Metric(name="publishes", unit="publishes/s"),
    )

    def applies_to(self, contender: Server) -> bool:
        return Verb.PUBLISH in contender.verbs

    def measure(self, lab: Lab, contender: Server) -> Reading:
        with lab.start(contender) as running:
            full = lab.run(Fanout, running, running.pushes[Verb.PUBLISH], connections=MEMBERS, publishers=PUBLISHERS)
            half = lab.run(
                Fanout,
                running,
                running.pushes[Verb.PUBLISH],
                connections=MEMBERS,
                publishers=PUBLISHERS,
                rate=max(full.publish_rate / 2, 1),
            )
        return Reading(
            values={"last_p99": half.last_p99_ms, "last_p50": half.last_p50_ms, "publishes": half.publish_rate},
            faults=undelivered(half),
        )
