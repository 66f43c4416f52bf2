"""What a scenario is: a sentence, a measurement, and the metrics with their targets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Generic, TypeVar

import msgspec

from bench.lab import Lab, Reading
from bench.servers.server import Contender, Server

Measurable = TypeVar("Measurable", bound=Contender)


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One value of a reading, and what the hub shall reach in it. A metric may have several targets, or none."""

    name: str
    """Its key in `Reading.values`."""
    unit: str
    decimals: int = 0
    at_least: float | None = None
    at_most: float | None = None
    at_least_of_reference: float | None = None
    """Of the reference's value in the same round."""
    at_least_of_phoenix: float | None = None
    phoenix_of_reference: float | None = None
    """Phoenix's value as a share of the reference's, as quoted in README.md: not measured in this run."""


class Scenario(ABC, Generic[Measurable]):
    """Measures contenders of its `kinds`."""

    name: ClassVar[str]
    title: ClassVar[str]
    metrics: ClassVar[tuple[Metric, ...]]
    kinds: ClassVar[tuple[type[Contender], ...]]

    def applies_to(self, contender: Measurable) -> bool:
        return True

    @abstractmethod
    def measure(self, lab: Lab, contender: Measurable) -> Reading:
        """Start the contender as often as needed, measure, and give a value for each metric."""


class ServerScenario(Scenario[Server]):
    kinds = (Server,)
