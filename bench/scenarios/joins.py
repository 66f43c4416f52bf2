"""A fleet that starts all at once."""

from __future__ import annotations

from typing import ClassVar

from bench.lab import Lab, Reading, faults
from bench.loadgen import Join
from bench.scenarios.scenario import Metric, ServerScenario
from bench.servers.server import Server, Verb

FEW, MANY = 250, 1000

CPU_CLOCK_TICKS = 0.1
"""Seconds. The kernel counts CPU time in steps of 10 ms: below this the growth would be chance."""


class Joins(ServerScenario):
    name = "joins"
    title = "1,000 agents connect and join one fleet at once; and how the cost of one join grows from 250 to 1,000"
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(name="seconds", unit="s until the last had joined", decimals=2),
        Metric(name="cpu_per_join", unit="ms of CPU a join", decimals=2),
        Metric(name="growth", unit="times the CPU a join, 1,000 against 250", decimals=2, at_most=2),
    )

    def applies_to(self, contender: Server) -> bool:
        return Verb.REQUEST in contender.verbs  # peers without a join protocol would compare a bare subscription

    def measure(self, lab: Lab, contender: Server) -> Reading:
        few, many = self._join(lab, contender, FEW), self._join(lab, contender, MANY)
        cpu_few, cpu_many = few.server_cpu_s / FEW, many.server_cpu_s / MANY
        values = {"seconds": many.seconds, "cpu_per_join": cpu_many * 1000, "megabytes_received": many.bytes_in / 1e6}
        if few.server_cpu_s > CPU_CLOCK_TICKS:
            values["growth"] = cpu_many / cpu_few
        return Reading(values=values, faults=faults(few) + faults(many))

    def _join(self, lab: Lab, contender: Server, count: int) -> Join:
        with lab.start(contender) as running:
            return lab.run(Join, running, connections=count, opening=count)
