"""One run: every scenario on everything that it applies to, alternating, round by round.

Alternating matters on a machine with neighbours: what slows one server down slows the next one too, and the ratio of
two neighbours in time holds when neither rate does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from bench.lab import Lab, Reading
from bench.loadgen import CannotMeasure
from bench.scenarios.scenario import Scenario
from bench.servers.child import CannotServe
from bench.servers.server import Contender

Readings = dict[str, list[Reading | None]]
"""By the contender's name, a reading a round; None where it failed."""


class Measured(msgspec.Struct, frozen=True):
    scenario: Scenario[Any]
    readings: Readings


def run(
    scenarios: Sequence[Scenario[Any]], contenders: Sequence[Contender], lab: Lab, say: Callable[[str], None]
) -> list[Measured]:
    """Measure everything; `say` is told of each step and of all that goes wrong."""
    return [_run_scenario(scenario, contenders, lab, say) for scenario in scenarios]


def _run_scenario(
    scenario: Scenario[Any], contenders: Sequence[Contender], lab: Lab, say: Callable[[str], None]
) -> Measured:
    chosen = [each for each in contenders if isinstance(each, scenario.kinds) and scenario.applies_to(each)]
    readings: Readings = {contender.name: [] for contender in chosen}
    for number in range(1, lab.effort.rounds + 1):
        for contender in chosen:
            say(f"{scenario.name}, round {number} of {lab.effort.rounds}: {contender.title}")
            readings[contender.name].append(_measure(scenario, contender, lab, say))
    return Measured(scenario, readings)


def _measure(scenario: Scenario[Any], contender: Contender, lab: Lab, say: Callable[[str], None]) -> Reading | None:
    try:
        reading = scenario.measure(lab, contender)
    except (CannotMeasure, CannotServe) as error:
        say(f"  {contender.title} could not be measured: {error}")
        return None
    for fault in reading.faults:
        say(f"  {contender.title}: {fault}")
    return reading
