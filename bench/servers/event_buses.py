"""Ways of an event to Apache Kafka: through a hub, through the hub's adapter alone, and through aiokafka alone."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import ClassVar

import msgspec

from bench.cores import on_core
from bench.servers.child import CannotServe
from bench.servers.hub import Hub
from bench.servers.server import Running, Server, Verb
from ringforge_core.testkit.kafka import own_kafka_broker
from ringforge_core.testkit.maven import missing_program

PATIENCE = 60.0


class Written(msgspec.Struct):
    """Events a second that the broker acknowledged."""

    one_by_one: float
    """100 at a time, each sent when the one before it is acknowledged: as agents do."""
    in_slices: float
    """1,000 handed over at once, the next when all are acknowledged: as the hub does."""


def _missing() -> str | None:
    return (
        f"apt-get install maven openjdk-17-jre-headless ({program} is missing)" if (program := missing_program()) else None
    )


class HubOnKafka(Hub):
    name = "hub-on-kafka"
    title = "Ringforge on Kafka"
    verbs: ClassVar[frozenset[Verb]] = frozenset()  # only what the scenario event-bus measures

    def missing(self) -> str | None:
        return _missing()

    @contextmanager
    def start(self, core: int, fleets: int = 1) -> Iterator[Running]:
        with own_kafka_broker() as broker:
            self.environment = {
                "RINGFORGE__EVENT_BUS__USE": "kafka",
                "RINGFORGE__EVENT_BUS__KAFKA__BOOTSTRAP_SERVERS": json.dumps([broker.address]),
            }
            with super().start(core, fleets) as running:
                yield running


def seconds_behind(running: Running) -> float:
    """How long it takes from now until the broker has all that the hub acknowledged."""
    started = time.monotonic()
    while _backlog(running.port):
        if time.monotonic() - started > PATIENCE:
            raise CannotServe(f"the hub still has events after {PATIENCE:g} s that Kafka has not taken")
        time.sleep(0.02)
    return time.monotonic() - started


def _backlog(port: int) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    return next(float(line.split()[1]) for line in lines if line.startswith("ringforge_bus_backlog "))


class Writer(Server):
    """A program that only writes to Kafka; `kind` says with what."""

    verbs: ClassVar[frozenset[Verb]] = frozenset()
    kind: ClassVar[str]

    def missing(self) -> str | None:
        return _missing()

    def start(self, core: int, fleets: int = 1) -> AbstractContextManager[Running]:
        raise NotImplementedError("a writer is measured as a whole, see `write`")

    def write(self, core: int, seconds: float) -> Written:
        """Write for so long in each way, from that core."""
        with own_kafka_broker() as broker, on_core(core):
            command = [sys.executable, "-m", "bench.kafka_writer", self.kind, broker.address, str(seconds)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=10 * PATIENCE, check=False)  # noqa: S603
        if done.returncode:
            raise CannotServe(f"bench.kafka_writer ended with status {done.returncode}: {done.stderr[-1000:]}")
        return msgspec.json.decode(done.stdout, type=Written)


class KafkaAdapter(Writer):
    name = "kafka-adapter"
    title = "the Kafka bus alone"
    kind = "adapter"


class Aiokafka(Writer):
    name = "aiokafka"
    title = "aiokafka alone"
    kind = "bare"
