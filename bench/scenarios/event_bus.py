"""Events on their way to a broker: what the hub and its adapter cost beside the bare client library."""

from __future__ import annotations

from typing import ClassVar

from bench.lab import Lab, Reading, limits
from bench.loadgen import Request
from bench.scenarios.requests import unanswered
from bench.scenarios.scenario import Metric, Scenario
from bench.servers.event_buses import HubOnBroker, Writer, seconds_behind
from bench.servers.hub import Hub
from bench.servers.server import Verb


class EventBus(Scenario[Hub | Writer]):
    name = "event-bus"
    title = (
        "100 agents, one change open each, acknowledged after its commit and carried to a broker; its client alone beside"
    )
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(name="replies", unit="events/s, each acknowledged"),
        Metric(name="slices", unit="events/s, handed over by 1,000"),
        Metric(name="behind", unit="s until the bus had the last", decimals=2),
    )

    kinds = (Hub, Writer)

    def measure(self, lab: Lab, contender: Hub | Writer) -> Reading:
        if isinstance(contender, Writer):
            written = contender.write(lab.cores.server, lab.effort.seconds)
            return Reading(values={"replies": written.one_by_one, "slices": written.in_slices})
        with lab.start(contender) as running:
            result = lab.run(Request, running, running.pushes[Verb.WRITE], connections=100, window=1)
            behind = seconds_behind(running) if isinstance(contender, HubOnBroker) else 0.0
        return Reading(values={"replies": result.rate, "behind": behind}, faults=unanswered(result), remarks=limits(result))
