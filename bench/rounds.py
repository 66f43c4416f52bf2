"""One run: every scenario on every server it applies to, alternating, round by round.

Alternating matters on a machine with neighbours: what slows one server down slows the next one too, and the ratio of
two neighbours in time holds when neither rate does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from bench.lab import Lab, Reading
from bench.loadgen import CannotMeasure
from bench.scenarios.scenario import Scenario
from bench.servers.child import CannotServe
from bench.servers.server import Server

Readings = dict[str, list[Reading | None]]
"""By the server's name, a reading a round; None where it failed."""


class Measured(msgspec.Struct, frozen=True):
    scenario: Scenario
    readings: Readings


def run(scenarios: Sequence[Scenario], servers: Sequence[Server], lab: Lab, say: Callable[[str], None]) -> list[Measured]:
    """Measure everything; `say` is told of each step and of all that goes wrong."""
    return [_run_scenario(scenario, servers, lab, say) for scenario in scenarios]


def _run_scenario(scenario: Scenario, servers: Sequence[Server], lab: Lab, say: Callable[[str], None]) -> Measured:
    chosen = [server for server in servers if scenario.applies_to(server)]
    readings: Readings = {server.name: [] for server in chosen}
    for number in range(1, lab.effort.rounds + 1):
        for server in chosen:
            say(f"{scenario.name}, round {number} of {lab.effort.rounds}: {server.title}")
            readings[server.name].append(_measure(scenario, server, lab, say))
    return Measured(scenario, readings)


def _measure(scenario: Scenario, server: Server, lab: Lab, say: Callable[[str], None]) -> Reading | None:
    try:
        reading = scenario.measure(lab, server)
    except (CannotMeasure, CannotServe) as error:
        say(f"  {server.title} could not be measured: {error}")
        return None
    for fault in reading.faults:
        say(f"  {server.title}: {fault}")
    return reading
