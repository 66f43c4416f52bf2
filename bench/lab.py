"""What a scenario measures with: the cores, how long, and the shorthand for one run of the load generator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from bench import loadgen
from bench.cores import Cores
from bench.loadgen import Fanout, Result, Usage
from bench.servers.server import Push, Running, Server

BUSY = 0.93
"""Share of a core past which a process counts as the limit."""


class Effort(msgspec.Struct, frozen=True, kw_only=True):
    """How long and how often. Sizes are never reduced: a fan-out to 100 says nothing about one to 1,000."""

    rounds: int = 3
    seconds: float = 3
    warmup: float = 1
    settle: float = 1


QUICK = Effort(rounds=1, seconds=1, warmup=0.3, settle=0.3)


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What one server did in one round."""

    values: dict[str, float]
    """By the metric's name. One that could not be told is absent."""
    faults: tuple[str, ...] = ()
    """What went wrong; the values are then not to be trusted."""
    remarks: tuple[str, ...] = ()
    """What else was the limit; the values are then a lower bound."""


class Lab(msgspec.Struct, frozen=True):
    cores: Cores
    effort: Effort

    @contextmanager
    def start(self, server: Server, fleets: int = 1) -> Iterator[Running]:
        with server.start(self.cores.server, fleets) as running:
            yield running

    def run(self, kind: type[Result], running: Running, push: Push | None = None, **options: str | float) -> Result:
        """One run of the load generator, with this lab's times where `options` gives no other."""
        effort = self.effort
        pushed = {"event": push.event, "payload": push.payload} if push else {}
        times = {"seconds": effort.seconds, "warmup": effort.warmup, "settle": effort.settle}
        result = loadgen.run(kind, running, self.cores.generator, **{**times, **pushed, **options})
        if isinstance(result, Fanout) and not result.delivered:
            raise loadgen.CannotMeasure(f"nothing was delivered. {result.first_error}")
        return result


def faults(usage: Usage) -> tuple[str, ...]:
    return (f"{usage.errors} errors, the first: {usage.first_error}",) if usage.errors else ()


def limits(usage: Usage) -> tuple[str, ...]:
    """Whether a run that should drive the server to its limit met another one first."""
    server, client = usage.server_cpu_s / usage.elapsed_s, usage.client_cpu_s / usage.elapsed_s
    if client > BUSY > server:
        return ("the load generator was the limit",)
    if max(client, server) < BUSY:
        return (f"neither side had its core full (server {server:.0%}, generator {client:.0%})",)
    return ()
