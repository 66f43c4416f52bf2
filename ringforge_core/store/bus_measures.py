"""How far the event bus is behind, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ringforge_core.ports.event_bus import EventBus
from ringforge_core.store.relay import Relay


class BusMeasures(Collector):
    def __init__(self, bus: EventBus, relay: Relay) -> None:
        self._bus = bus
        self._relay = relay

    def collect(self) -> Iterable[Metric]:
        load = self._bus.load()
        for name, text, value in (
            ("backlog", "Events committed by this hub that the event bus has not taken yet.", self._relay.backlog),
            ("queued", "Events that wait in this hub to be sent to the broker.", load.queued),
            ("lag", "Events on the bus that this hub has not handled yet.", load.lag),
        ):
            yield GaugeMetricFamily(f"ringforge_bus_{name}", text, value=value)
        for name, text, value in (
            ("refused", "Calls that found the event bus's queue full: backpressure.", load.refused),
            ("skipped", "Records on the event bus that were no events.", load.skipped),
        ):
            yield CounterMetricFamily(f"ringforge_bus_{name}", text, value=value)
