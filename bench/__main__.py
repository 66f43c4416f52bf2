"""`./ringforge bench`, that is `python -m bench`: measure, then print a table or JSON."""

from __future__ import annotations

import os
import sys

import rich_click as click
from rich.console import Console

from bench import build, cores, report, rounds
from bench.lab import QUICK, Effort, Lab
from bench.scenarios import ALL as SCENARIOS
from bench.servers import ALL as SERVERS
from bench.servers.server import Contender

QUIET_LOAD = 0.5
"""Load average above which the machine counts as busy with something else."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def split_by_presence(servers: list[Contender]) -> tuple[list[Contender], dict[str, str]]:
    """Those that can be measured here, and for the others how to install them."""
    missing = {server.name: how for server in servers if (how := server.missing()) is not None}
    return [server for server in servers if server.name not in missing], missing


def warn_of_disturbance(where: cores.Cores) -> None:
    if where.shared:
        say("Only one core is available: server and load generator share it, and rates come out at about half.")
    if os.getloadavg()[0] > QUIET_LOAD:
        say(f"This machine is busy (load average {os.getloadavg()[0]:.1f}): trust the ratios, not the rates.")


@click.command(help="Measure the hub, the C reference and the peers that are installed, alternating, in one run.")
@click.argument("names", nargs=-1, metavar="[SCENARIO]…")
@click.option("--list", "listing", is_flag=True, help="List the scenarios and the servers, measure nothing.")
@click.option("--quick", is_flag=True, help="One short round: shows that all works, not how fast it is.")
@click.option("--rounds", "round_count", type=click.IntRange(min=1), help="Rounds. Default: 3.")
@click.option("--seconds", type=click.FloatRange(min=0.1), help="Seconds of each measured phase. Default: 3.")
@click.option(
    "--server", "server_names", multiple=True, type=click.Choice([s.name for s in SERVERS]), help="Only these servers."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON with every reading instead of the table.")
def main(
    names: tuple[str, ...],
    listing: bool,
    quick: bool,
    round_count: int | None,
    seconds: float | None,
    server_names: tuple[str, ...],
    as_json: bool,
) -> None:
    if listing:
        list_all()
        return
    unknown = set(names) - {scenario.name for scenario in SCENARIOS}
    if unknown:
        raise click.UsageError(f"no scenario {', '.join(sorted(unknown))}; see --list")
    scenarios = [scenario for scenario in SCENARIOS if not names or scenario.name in names]
    servers, absent = split_by_presence([s for s in SERVERS if not server_names or s.name in server_names])
    base = QUICK if quick else Effort()
    effort = Effort(
        rounds=round_count or base.rounds, seconds=seconds or base.seconds, warmup=base.warmup, settle=base.settle
    )
    lab = Lab(cores.available(), effort)
    warn_of_disturbance(lab.cores)
    try:
        build.program("loadgen"), build.program("reference_server")
    except build.CannotBuild as error:
        raise click.ClickException(str(error)) from error
    measured = rounds.run(scenarios, servers, lab, say)
    if as_json:
        sys.stdout.buffer.write(report.to_json(measured, absent, lab) + b"\n")
    else:
        width = None if sys.stdout.isatty() else report.WIDTH_WHEN_PIPED
        report.print_table(measured, absent, Console(width=width, highlight=False))
    if any(reading is None or reading.faults for one in measured for all_ in one.readings.values() for reading in all_):
        sys.exit(1)


def list_all() -> None:
    for scenario in SCENARIOS:
        print(f"{scenario.name:18} {scenario.title}")
    print()
    for server in SERVERS:
        how = server.missing()
        print(f"{server.name:18} {server.title}{'' if how is None else f' (missing: {how})'}")


if __name__ == "__main__":
    main()
