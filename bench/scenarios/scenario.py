"""What a scenario is: a sentence, a measurement, and the metrics with their targets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import msgspec

from bench.lab import Lab, Reading
from bench.servers.server import Server


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


class Scenario(ABC):
    name: ClassVar[str]
    title: ClassVar[str]
    metrics: ClassVar[tuple[Metric, ...]]

    @abstractmethod
    def applies_to(self, server: Server) -> bool: ...

    @abstractmethod
    def measure(self, lab: Lab, server: Server) -> Reading:
        """Start the server as often as needed, measure, and give a value for each metric."""
