"""Connections that are joined and do nothing."""

from __future__ import annotations

from typing import ClassVar

from bench.lab import Lab, Reading, faults
from bench.loadgen import Idle
from bench.scenarios.scenario import Metric, ServerScenario
from bench.servers.server import Server

BASE = 50
"""Connections opened before the count starts, so that what a server allocates once is not counted."""

PER_CONNECTION = Metric(name="bytes", unit="bytes a connection", at_most=8192)


class Idle1000(ServerScenario):
    name = "idle"
    title = "1,000 idle connections, each an authenticated agent joined to the same fleet"
    metrics: ClassVar[tuple[Metric, ...]] = (PER_CONNECTION,)
    connections = 1000
    fleets = 1

    def applies_to(self, contender: Server) -> bool:
        return bool(contender.verbs)

    def measure(self, lab: Lab, contender: Server) -> Reading:
        with lab.start(contender, self.fleets) as running:
            result = lab.run(Idle, running, connections=BASE + self.connections, base=BASE)
        lost = result.joined - result.held
        return Reading(
            values={
                "bytes": result.bytes_per_connection,
                "held": result.held - BASE,
                "idle_cpu": 100 * result.server_cpu_s / result.elapsed_s,
            },
            faults=faults(result) + ((f"{lost} connections were closed",) if lost else ()),
        )


class Idle10000(Idle1000):
    name = "idle-10000"
    title = "10,000 idle connections, in 20 fleets of 500 where the server has fleets"
    metrics = (
        Metric(name="held", unit="connections held", at_least=10_000),
        PER_CONNECTION,
        Metric(name="idle_cpu", unit="% of a core while idle", decimals=1),
    )
    connections = 10_000
    fleets = 20
