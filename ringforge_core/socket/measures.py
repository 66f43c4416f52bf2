"""What the socket counts, for Prometheus: cheap to note on the hot path, put together only when somebody asks."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Callable, Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper bounds in seconds."""
STANDARD_CODES = range(1000, 1016)
"""Close codes with a series of their own; a client may send any of thousands."""


class EventMeasure:
    """How often one declared event was answered, how fast, and with which errors."""

    __slots__ = ("counts", "errors", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.seconds = 0.0
        self.errors: Counter[str] = Counter()

    def note(self, seconds: float) -> None:
        self.counts[bisect.bisect_left(BUCKETS, seconds)] += 1
        self.seconds += seconds


class SocketMeasures(Collector):
    """All measures of one hub's sockets."""

    def __init__(self, connections: Callable[[], int], agents: Callable[[], int]) -> None:
        self._connections = connections
        self._agents = agents
        self.events: dict[str, EventMeasure] = {}
        self.closes: Counter[int | str] = Counter()
        """By close code, or `other`."""
        self.authentications: Counter[tuple[str, str]] = Counter()

    def of(self, event: str) -> EventMeasure:
        return self.events.setdefault(event, EventMeasure())

    def closed(self, code: int) -> None:
        self.closes[code if code in STANDARD_CODES else "other"] += 1

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily("ringforge_connections", "Open sockets of this node.", value=self._connections())
        yield GaugeMetricFamily(
            "ringforge_connected_agents", "Agents with a joined channel on this node.", value=self._agents()
        )
        latency = HistogramMetricFamily("ringforge_event_seconds", "Time from a frame to its reply.", labels=["event"])
        errors = CounterMetricFamily("ringforge_event_errors", "Refused or failed events.", labels=["event", "reason"])
        for event, measure in self.events.items():
            latency.add_metric([event], *_histogram(measure))
            for reason, count in measure.errors.items():
                errors.add_metric([event, reason], count)
        yield latency
        yield errors
        closes = CounterMetricFamily("ringforge_closes", "Sockets closed, by close code.", labels=["code"])
        for code, count in self.closes.items():
            closes.add_metric([str(code)], count)
        yield closes
        auth = CounterMetricFamily("ringforge_auth", "Authentications.", labels=["result", "method"])
        for (result, method), count in self.authentications.items():
            auth.add_metric([result, method], count)
        yield auth


def _histogram(measure: EventMeasure) -> tuple[list[tuple[str, float]], float]:
    total, buckets = 0, []
    for bound, count in zip((*map(str, BUCKETS), "+Inf"), measure.counts, strict=True):
        total += count
        buckets.append((bound, float(total)))
    return buckets, measure.seconds
