"""A real Apache Kafka for tests: the broker that `RINGFORGE_TEST_KAFKA` names (host:port), else one of our own.

    with kafka_broker() as broker:      # once per file of tests
        broker.address                  # host:port
        await broker.stop()             # only one of our own: gone, and back with the same port and log

`kafka_broker(or_lookalike=True)` makes do with a look-alike where Java or Maven is missing, or where
`RINGFORGE_TEST_KAFKA=lookalike` asks for it; `broker.lookalike` is its name then.

One of our own is a single node without ZooKeeper (KRaft) on free ports of the loopback, fetched from Maven, see
`kafka_pom.xml`. It forgets and compacts within a second or two, so that tests can watch it.
"""

from __future__ import annotations

import asyncio
import base64
import os
import random
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ringforge_core.testkit.class_archive import DUMP_SECONDS, archive_options
from ringforge_core.testkit.kafka_lookalike import NAME, lookalike_address, lookalike_program
from ringforge_core.testkit.maven import class_path_now, java_command, missing_program, skip_without_java

POM = Path(__file__).with_name("kafka_pom.xml")
START_SECONDS = 60.0
_CONNECTION_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
STOP_SECONDS = 20.0
_LOOKALIKE = "lookalike"
_MISSING = (
    "no Kafka: `apt-get install maven openjdk-17-jre-headless` for Apache Kafka itself, name a broker in "
    f"RINGFORGE_TEST_KAFKA, or `pip install {NAME}` for a look-alike that proves less"
)

_OPTIONS = (
    "-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)  # fmt: skip
_PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
listeners=CLIENT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}{more_listeners}
advertised.listeners=CLIENT://127.0.0.1:{port}{more_listeners}
inter.broker.listener.name=CLIENT
listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT,TLS:SSL,LOGIN:SASL_SSL
log.dirs={directory}/log
auto.create.topics.enable=false
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
num.network.threads=2
num.io.threads=2
log.retention.check.interval.ms=500
log.initial.task.delay.ms=500
log.segment.delete.delay.ms=200
log.cleaner.backoff.ms=500
log.cleaner.dedupe.buffer.size=4194304
{more}
"""


def lasting_port() -> int:
    """A free port of the loopback below those that connections get: nobody takes it while the broker is away."""
    first_of_connections = int(_CONNECTION_PORTS.read_text().split()[0])
    while True:
        port = random.randrange(first_of_connections - 12_000, first_of_connections)  # noqa: S311 — no secret
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


class KafkaBroker:
    """A broker at `address`, host:port. `lookalike` names what stands in for Apache Kafka; None for Kafka itself."""

    def __init__(self, address: str, *, lookalike: str | None = None) -> None:
        self.address = address
        self.lookalike = lookalike


class OwnKafkaBroker(KafkaBroker):
    """A broker in a process of its own, which a test may stop and start again on the same port and log.

    `properties` are further lines of its configuration; `more_listeners` are listeners besides the plain one.
    """

    def __init__(self, directory: Path, jars: list[Path], *, properties: str = "", more_listeners: str = "") -> None:
        port = lasting_port()
        super().__init__(f"127.0.0.1:{port}")
        self.log = directory / "broker.log"
        self._port = port
        self._jars = jars
        self.java_options: tuple[str, ...] = _OPTIONS
        self._configuration = directory / "server.properties"
        self._process: subprocess.Popen[bytes] | None = None
        self._configuration.write_text(
            _PROPERTIES.format(
                port=port,
                controller_port=lasting_port(),
                directory=directory,
                more=properties,
                more_listeners=more_listeners,
            )
        )

    async def start(self) -> None:
        """Returns when it serves."""
        await asyncio.to_thread(self.start_now)

    async def stop(self) -> None:
        """Returns when it is gone. A second call does nothing."""
        await asyncio.to_thread(self.stop_now)

    def format(self, *users: str) -> None:
        """Prepare the empty log, once, before the first start; `users` as `SCRAM-SHA-512=[name=hub,password=…]`."""
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        command = ("format", f"--cluster-id={cluster}", "-c", str(self._configuration))
        logins = [word for user in users for word in ("--add-scram", user)]
        run = subprocess.run(  # noqa: S603 — our own arguments
            java_command(self._jars, "kafka.tools.StorageTool", *command, *logins, options=self.java_options),
            timeout=START_SECONDS, check=False, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        if run.returncode != 0:
            raise RuntimeError(f"Kafka's storage cannot be formatted:\n{run.stdout[-2000:]}")

    def start_now(self) -> None:
        """As `start`, for a fixture that waits; raises with the end of the broker's log when it is not ready in time."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 — our own arguments
                java_command(self._jars, "kafka.Kafka", str(self._configuration), options=self.java_options),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while not self._serves():
            if self._process.poll() is not None:
                raise RuntimeError(f"Kafka ended at its start:\n{self._log_tail()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"Kafka is not ready after {START_SECONDS:g} s:\n{self._log_tail()}")
            time.sleep(0.05)

    def stop_now(self, *, kill: bool = False, seconds: float = STOP_SECONDS) -> None:
        """As `stop`, for a fixture that waits; one that takes longer than `seconds` is killed."""
        process, self._process = self._process, None
        if process is None:
            return
        if kill:
            process.kill()
        else:
            process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _serves(self) -> bool:
        """The client port opens when the broker has its metadata and is let into the cluster."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0

    def _log_tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])


@contextmanager
def kafka_broker(*, or_lookalike: bool = False) -> Iterator[KafkaBroker]:
    """Skips the test, saying what to install, when there is none.

    Only a test that knows what a look-alike cannot prove may ask for `or_lookalike`.
    """
    asked_for = os.environ.get("RINGFORGE_TEST_KAFKA")
    if asked_for and asked_for != _LOOKALIKE:
        yield KafkaBroker(asked_for)
    elif or_lookalike and (asked_for == _LOOKALIKE or missing_program() is not None):
        if (program := lookalike_program()) is None:
            pytest.skip(_MISSING)
        with lookalike_address(program, lasting_port()) as address:
            yield KafkaBroker(address, lookalike=NAME)
    elif asked_for == _LOOKALIKE:
        pytest.skip("RINGFORGE_TEST_KAFKA asks for a look-alike, and this test needs Apache Kafka itself")
    else:
        skip_without_java()
        with own_kafka_broker() as broker:
            yield broker


@contextmanager
def own_kafka_broker(
    *, properties: str = "", more_listeners: str = "", users: tuple[str, ...] = ()
) -> Iterator[OwnKafkaBroker]:
    """Raises `MavenError` when its jars cannot be had."""
    jars = class_path_now(POM)
    options = archive_options(jars, lambda options: _rehearse(jars, options))
    with tempfile.TemporaryDirectory(prefix="ringforge-kafka-") as folder:
        broker = OwnKafkaBroker(Path(folder), jars, properties=properties, more_listeners=more_listeners)
        broker.java_options += options
        try:
            broker.format(*users)
            broker.start_now()
            yield broker
        finally:
            broker.stop_now(kill=True)


def _rehearse(jars: list[Path], java_options: tuple[str, ...]) -> None:
    """A broker that starts and ends in order."""
    with tempfile.TemporaryDirectory(prefix="ringforge-kafka-") as folder:
        broker = OwnKafkaBroker(Path(folder), jars)
        broker.format()
        broker.java_options += java_options
        try:
            broker.start_now()
        finally:
            broker.stop_now(seconds=DUMP_SECONDS)
