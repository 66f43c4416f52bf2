"""Members that stop reading must harm nobody but themselves."""

from __future__ import annotations

from typing import ClassVar

from bench.lab import Lab, Reading
from bench.loadgen import Fanout
from bench.scenarios.fanout import undelivered
from bench.scenarios.scenario import Metric, Scenario
from bench.servers.server import Server, Verb

MEMBERS, STALLED = 200, 5


class SlowReaders(Scenario):
    name = "slow-readers"
    title = "200 members, 5 of them stop reading: the others' rate against a run in which all read"
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(name="kept", unit="% of the rate kept", at_least=90),
        Metric(name="missed", unit="deliveries missed by the others", at_most=0),
        Metric(name="growth", unit="MiB of memory more at the peak", decimals=1, at_most=32),
        Metric(name="closed", unit="of the 5 closed"),
    )

    def applies_to(self, server: Server) -> bool:
        # The reference waits for whoever does not read, by design: there is nothing to compare.
        return Verb.PUBLISH in server.verbs and server.name != "reference"

    def measure(self, lab: Lab, server: Server) -> Reading:
        with lab.start(server) as running:
            all_read = lab.run(Fanout, running, Verb.PUBLISH, connections=MEMBERS)
        with lab.start(server) as running:
            some_stall = lab.run(Fanout, running, Verb.PUBLISH, connections=MEMBERS, stalled=STALLED)
        # Per publication, because five members fewer are less work.
        return Reading(
            values={
                "kept": 100 * some_stall.publish_rate / all_read.publish_rate,
                "missed": some_stall.expected - some_stall.delivered,
                "growth": (some_stall.resident_peak_kb - some_stall.resident_before_kb) / 1024,
                "closed": some_stall.stalled_closed,
            },
            faults=undelivered(some_stall),
            remarks=(f"closed with code {some_stall.stalled_close_code}",) if some_stall.stalled_close_code else (),
        )
