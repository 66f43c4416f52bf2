"""From starting the process until it answers."""

from __future__ import annotations

from typing import ClassVar

from bench.lab import Lab, Reading
from bench.scenarios.scenario import Metric, ServerScenario
from bench.servers.server import Server


class Start(ServerScenario):
    name = "start"
    title = "from the start of the process to the first answer, with the default plugins and a fleet in the store"
    metrics: ClassVar[tuple[Metric, ...]] = (Metric(name="seconds", unit="s until it serves", decimals=2, at_most=1),)

    def applies_to(self, contender: Server) -> bool:
        return bool(contender.verbs)

    def measure(self, lab: Lab, contender: Server) -> Reading:
        with lab.start(contender) as running:
            return Reading(values={"seconds": running.start_seconds})
