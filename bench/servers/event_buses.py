"""Ways of an event to a broker: through a hub, through the hub's adapter alone, and through the client library alone."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import ClassVar

import msgspec

from bench.cores import on_core
from bench.servers.child import CannotServe
from bench.servers.hub import Hub
from bench.servers.server import Contender, Running, Verb
from ringforge_core.testkit.kafka import own_kafka_broker
from ringforge_core.testkit.maven import missing_program
from ringforge_core.testkit.pulsar import own_pulsar_server

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


class HubOnBroker(Hub):
    verbs: ClassVar[frozenset[Verb]] = frozenset()  # only what the scenario event-bus measures

    def missing(self) -> str | None:
        return _missing()


class HubOnKafka(HubOnBroker):
    name = "hub-on-kafka"
    title = "Ringforge on Kafka"

    @contextmanager
    def start(self, core: int, fleets: int = 1) -> Iterator[Running]:
        with own_kafka_broker() as broker:
            self.environment = {
                "RINGFORGE__EVENT_BUS__USE": "kafka",
                "RINGFORGE__EVENT_BUS__KAFKA__BOOTSTRAP_SERVERS": json.dumps([broker.address]),
            }
            with super().start(core, fleets) as running:
                yield running


class HubOnPulsar(HubOnBroker):
    name = "hub-on-pulsar"
    title = "Ringforge on Pulsar"

    @contextmanager
    def start(self, core: int, fleets: int = 1) -> Iterator[Running]:
        with own_pulsar_server() as pulsar:
            self.environment = {
                "RINGFORGE__EVENT_BUS__USE": "pulsar",
                "RINGFORGE__EVENT_BUS__PULSAR__SERVICE_URL": pulsar.service_url,
                "RINGFORGE__EVENT_BUS__PULSAR__ADMIN_URL": pulsar.admin_url,
            }
            with super().start(core, fleets) as running:
                yield running


def seconds_behind(running: Running) -> float:
    """How long it takes from now until the broker has all that the hub acknowledged."""
    started = time.monotonic()
    while _backlog(running.port):
        if time.monotonic() - started > PATIENCE:
            raise CannotServe(f"the hub still has events after {PATIENCE:g} s that the broker has not taken")
        time.sleep(0.02)
    return time.monotonic() - started


def _backlog(port: int) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    return next(float(line.split()[1]) for line in lines if line.startswith("ringforge_bus_backlog "))


class Writer(Contender):
    """A program that only writes to a broker; `kind` says with what."""

    kind: ClassVar[str]
    program: ClassVar[str]

    def missing(self) -> str | None:
        return _missing()

    @abstractmethod
    def broker(self) -> AbstractContextManager[Sequence[str]]:
        """A broker of its own; what the program must know to find it."""

    def write(self, core: int, seconds: float) -> Written:
        """Write for so long in each way, from that core."""
        with self.broker() as address, on_core(core):
            command = [sys.executable, "-m", self.program, self.kind, *address, str(seconds)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=10 * PATIENCE, check=False)  # noqa: S603
        if done.returncode:
            raise CannotServe(f"{self.program} ended with status {done.returncode}: {done.stderr[-1000:]}")
        return msgspec.json.decode(done.stdout, type=Written)


class KafkaWriter(Writer):
    program = "bench.kafka_writer"

    @contextmanager
    def broker(self) -> Iterator[Sequence[str]]:
        with own_kafka_broker() as broker:
            yield (broker.address,)


class KafkaAdapter(KafkaWriter):
    name = "kafka-adapter"
    title = "the Kafka bus alone"
    kind = "adapter"


class Aiokafka(KafkaWriter):
    name = "aiokafka"
    title = "aiokafka alone"
    kind = "bare"


class PulsarWriter(Writer):
    program = "bench.pulsar_writer"

    @contextmanager
    def broker(self) -> Iterator[Sequence[str]]:
        with own_pulsar_server() as pulsar:
            yield (pulsar.service_url, pulsar.admin_url)


class PulsarAdapter(PulsarWriter):
    name = "pulsar-adapter"
    title = "the Pulsar bus alone"
    kind = "adapter"


class PulsarClient(PulsarWriter):
    name = "pulsar-client"
    title = "pulsar-client alone"
    kind = "bare"
