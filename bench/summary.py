"""Medians over the rounds, ratios to the reference, and whether the hub reached its targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

import msgspec

from bench.rounds import Measured, Readings
from bench.scenarios.scenario import Metric
from bench.servers import HUB, REFERENCE


class Spread(msgspec.Struct, frozen=True):
    """Over the rounds."""

    median: float
    low: float
    high: float


class Target(msgspec.Struct, frozen=True):
    text: str
    reached: bool


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of one server."""

    scenario: str
    metric: str
    unit: str
    server: str
    decimals: int
    value: Spread | None
    """None: no round gave one."""
    ratio: Spread | None = None
    """To the reference, round by round."""
    phoenix_multiple: float | None = None
    """The ratio, divided by the quoted ratio of Phoenix to the reference: an estimate, not measured in this run."""
    targets: tuple[Target, ...] = ()
    faults: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def summarise(measured: Sequence[Measured]) -> list[Row]:
    return [_row(one, metric, server) for one in measured for metric in one.scenario.metrics for server in one.readings]


def _row(one: Measured, metric: Metric, server: str) -> Row:
    values = _values(one.readings, server, metric.name)
    ratio = _ratio(one.readings, server, metric.name)
    value = _spread(values)
    phoenix = ratio.median / metric.phoenix_of_reference if ratio and metric.phoenix_of_reference else None
    present = [reading for reading in one.readings[server] if reading is not None]
    return Row(
        scenario=one.scenario.name,
        metric=metric.name,
        unit=metric.unit,
        server=server,
        decimals=metric.decimals,
        value=value,
        ratio=ratio,
        phoenix_multiple=phoenix,
        targets=_targets(metric, value, ratio, phoenix) if server == HUB.name else (),
        faults=tuple(dict.fromkeys(fault for reading in present for fault in reading.faults)),
        remarks=tuple(dict.fromkeys(remark for reading in present for remark in reading.remarks)),
    )


def _values(readings: Readings, server: str, metric: str) -> list[float | None]:
    return [None if reading is None else reading.values.get(metric) for reading in readings[server]]


def _spread(values: Sequence[float | None]) -> Spread | None:
    known = [value for value in values if value is not None]
    return Spread(median(known), min(known), max(known)) if known else None


def _ratio(readings: Readings, server: str, metric: str) -> Spread | None:
    """Each round's value against the reference's in the same round."""
    if REFERENCE.name not in readings or server == REFERENCE.name:
        return None
    pairs = zip(_values(readings, server, metric), _values(readings, REFERENCE.name, metric), strict=True)
    return _spread([value / reference for value, reference in pairs if value is not None and reference])


def _targets(
    metric: Metric, value: Spread | None, ratio: Spread | None, phoenix_multiple: float | None
) -> tuple[Target, ...]:
    measured_ratio = ratio.median if ratio else None
    checks: list[tuple[str, float | None, float | None, Callable[[float, float], bool]]] = [
        ("≥ {:,g}", metric.at_least, value.median if value else None, float.__ge__),
        ("≤ {:,g}", metric.at_most, value.median if value else None, float.__le__),
        ("≥ {:g} x reference", metric.at_least_of_reference, measured_ratio, float.__ge__),
        ("≥ {:g} x Phoenix*", metric.at_least_of_phoenix, phoenix_multiple, float.__ge__),
    ]
    return tuple(
        Target(text.format(bound), got is not None and compare(float(got), float(bound)))
        for text, bound, got, compare in checks
        if bound is not None
    )
