"""Members that stop reading must harm nobody but themselves."""

from __future__ import annotations

from typing import ClassVar

from bench.lab import Lab, Reading
from bench.loadgen import Fanout
from bench.scenarios.fanout import undelivered
from bench.scenarios.scenario import Metric, ServerScenario
from bench.servers.server import Server, Verb

MEMBERS, STALLED = 200, 5
PUBLISHERS = 32
PADDING = 8_000
"""Bytes added to each publication: a stalled member shall fill the kernel's buffers and the server's soon."""

SECONDS_AT_LEAST = 4


class SlowReaders(ServerScenario):
    name = "slow-readers"
    title = "200 members, 32 publishers, 8 KB each; then 5 members stop reading: what the others notice"
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(name="kept", unit="% of the rate before", at_least=90),
        Metric(name="missed", unit="deliveries missed by the others", at_most=0),
        Metric(name="growth", unit="MiB of memory more at the peak", decimals=1, at_most=32),
        Metric(name="publishes", unit="publishes/s"),
        Metric(name="closed", unit="of the 5 closed", at_least=STALLED),
    )

    def applies_to(self, contender: Server) -> bool:
        # The reference waits for whoever does not read, by design: there is nothing to compare.
        return Verb.PUBLISH in contender.verbs and contender.name != "reference"

    def measure(self, lab: Lab, contender: Server) -> Reading:
        seconds = max(lab.effort.seconds, SECONDS_AT_LEAST)
        with lab.start(contender) as running:
            result = lab.run(
                Fanout,
                running,
                running.pushes[Verb.PUBLISH].padded(PADDING),
                connections=MEMBERS,
                publishers=PUBLISHERS,
                stalled=STALLED,
                warmup=seconds,  # in which all read: what the rate is compared with, as near in time as can be
                seconds=seconds,
            )
        code = result.stalled_close_code
        return Reading(
            values={
                "kept": 100 * result.publish_rate / result.warmup_publish_rate,
                "missed": result.expected - result.delivered,
                "growth": (result.resident_peak_kb - result.resident_before_kb) / 1024,
                "closed": result.stalled_closed,
                "publishes": result.publish_rate,
            },
            faults=undelivered(result),
            remarks=(f"closed with code {code}",) if code else (),
        )
