"""The result for people (a table) and for programs (JSON)."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from bench.lab import Lab
from bench.rounds import Measured
from bench.scenarios import ALL
from bench.servers import ALL as SERVERS
from bench.servers import HUB, REFERENCE
from bench.summary import Row, Spread, summarise

WIDTH_WHEN_PIPED = 150

PHOENIX_NOTE = (
    "* Phoenix 1.8.3 on Bandit was not measured in this run. Its ratio to the reference is quoted from bench/README.md."
)

_TITLES = {server.name: server.title for server in SERVERS}


def print_table(measured: Sequence[Measured], absent: dict[str, str], console: Console) -> None:
    """One section a scenario; `absent` tells how to install the servers that were left out."""
    rows = summarise(measured)
    for name, group in groupby(rows, key=lambda row: row.scenario):
        _print_scenario(name, list(group), console)
    for server, how in absent.items():
        console.print(f"{_TITLES[server]} was not measured. To have it beside the hub: {how}")
    if any(row.phoenix_multiple is not None for row in rows):
        console.print(PHOENIX_NOTE)


def _print_scenario(name: str, rows: list[Row], console: Console) -> None:
    title = next(scenario.title for scenario in ALL if scenario.name == name)
    console.print(f"{name}: {title}", style="bold", soft_wrap=True)
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else box.ASCII2)
    for column in ("", "server"):
        table.add_column(column)
    for column in ("median", "min-max", "of reference", "of Phoenix*"):
        table.add_column(column, justify="right")
    table.add_column("target", no_wrap=True)
    for _, group in groupby(rows, key=lambda row: row.metric):
        for number, row in enumerate(group):
            table.add_row(row.unit if number == 0 else "", *_cells(row))
        table.add_section()
    console.print(table)
    for text in dict.fromkeys(_notes(rows)):
        console.print(f"  {text}", soft_wrap=True)
    console.print()


def _cells(row: Row) -> tuple[str, ...]:
    phoenix = row.phoenix_multiple if row.server == HUB.name else None
    return (
        _TITLES[row.server],
        "?" if row.value is None else _number(row.value.median, row.decimals),
        "" if row.value is None else _range(row.value, row.decimals),
        "1" if row.server == REFERENCE.name else "" if row.ratio is None else f"{row.ratio.median:.2f}",
        "" if phoenix is None else f"{phoenix:.2f}",
        ", ".join(f"{target.text} {'reached' if target.reached else 'MISSED'}" for target in row.targets),
    )


def _number(value: float, decimals: int) -> str:
    return f"{value:,.{decimals}f}"


def _range(spread: Spread, decimals: int) -> str:
    return f"{_number(spread.low, decimals)}-{_number(spread.high, decimals)}"


def _notes(rows: list[Row]) -> list[str]:
    return [
        f"{_TITLES[row.server]}: {kind}{text}"
        for row in rows
        for kind, texts in (("FAULT: ", row.faults), ("", row.remarks))
        for text in texts
    ]


def to_json(measured: Sequence[Measured], absent: dict[str, str], lab: Lab) -> bytes:
    """All readings of all rounds, the summary, and what it was measured on."""
    document: dict[str, Any] = {
        "machine": _machine(),
        "cores": lab.cores,
        "effort": lab.effort,
        "summary": summarise(measured),
        "readings": {one.scenario.name: one.readings for one in measured},
        "absent": absent,
        "phoenix": PHOENIX_NOTE,
    }
    return msgspec.json.format(msgspec.json.encode(document))


def _machine() -> dict[str, Any]:
    models = [line.split(":", 1)[1].strip() for line in _cpuinfo() if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_average": os.getloadavg(),
    }


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []
