"""What a second hub costs: publish at one, delivery at both."""

from __future__ import annotations

from statistics import quantiles
from typing import ClassVar

from bench.lab import Lab, Reading
from bench.scenarios.scenario import Metric, Scenario
from bench.servers.routes import Route


class TwoHubs(Scenario[Route]):
    name = "two-hubs"
    title = "200 events a second, published at one hub and delivered at it and at another; beside the bare client libraries"
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(name="here_p50", unit="ms to the same hub's agents, p50", decimals=1),
        Metric(name="here_p99", unit="ms to the same hub's agents, p99", decimals=1),
        Metric(name="there_p50", unit="ms to the other side, p50", decimals=1),
        Metric(name="there_p99", unit="ms to the other side, p99", decimals=1),
        Metric(name="added_p50", unit="ms added by the second hub, p50", decimals=1),
    )

    kinds = (Route,)

    def measure(self, lab: Lab, contender: Route) -> Reading:
        found = contender.measure(lab.effort.seconds)
        values = {f"there_p{share}": _percentile(found.there, share) for share in (50, 99)}
        if found.here:
            values |= {f"here_p{share}": _percentile(found.here, share) for share in (50, 99)}
            values["added_p50"] = values["there_p50"] - values["here_p50"]
        return Reading(values=values)


def _percentile(found: list[float], share: int) -> float:
    return quantiles(found, n=100)[share - 1]
