"""A real Apache Pulsar for tests: the one that `RINGFORGE_TEST_PULSAR` names, else one of our own.

    with pulsar_server() as server:             # once per file of tests
        server.service_url, server.admin_url    # pulsar://…, http://…

The own one is Pulsar standalone from Maven artifacts (broker, bookie and metadata in one process), in a folder that goes
with it. Its first start downloads about 240 MB. The variable holds both addresses: `pulsar://host:port,http://host:port`.

`own_pulsar_server(python_instance=…)` also has a functions worker, which runs that program for each Python function.
Pulsar's own instance program is not among the Maven artifacts.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ringforge_core.testkit.class_archive import DUMP_SECONDS, archive_options
from ringforge_core.testkit.maven import class_path_now, java_command, skip_without_java

POM = Path(__file__).with_name("pulsar_pom.xml")

_START_SECONDS = 90.0
_STOP_SECONDS = 30.0
_MAIN_CLASS = "org.apache.pulsar.PulsarStandaloneStarter"
_OPENED = (  # what Pulsar's own start script opens to it, on Java 17
    "java.base/java.io", "java.base/java.lang", "java.base/java.nio", "java.base/java.util.zip",
    "java.base/jdk.internal.loader", "java.base/jdk.internal.misc", "java.base/jdk.internal.platform", "java.base/sun.net",
    "java.management/sun.management", "jdk.management/com.sun.management.internal",
)  # fmt: skip
_JAVA_OPTIONS = (
    "-Xms128m", "-Xmx384m", "-XX:MaxDirectMemorySize=256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
    "-Dio.netty.tryReflectionSetAccessible=true", "-Dpulsar.allocator.leak_detection=Disabled",
    *(f"--add-opens={package}=ALL-UNNAMED" for package in _OPENED),
)  # fmt: skip
_CONFIGURATION = """
brokerServicePort={broker_port}
webServicePort={web_port}
bindAddress=127.0.0.1
advertisedAddress=127.0.0.1
listeningInterface=lo
allowLoopback=true
clusterName=standalone
managedLedgerDefaultEnsembleSize=1
managedLedgerDefaultWriteQuorum=1
managedLedgerDefaultAckQuorum=1
managedLedgerCacheSizeMB=32
managedLedgerMinLedgerRolloverTimeMinutes=0
managedLedgerMaxLedgerRolloverTimeMinutes=1
allowAutoTopicCreationType=non-partitioned
topicLevelPoliciesEnabled=true
systemTopicEnabled=true
webSocketServiceEnabled=false
brokerShutdownTimeoutMs=500
loadBalancerEnabled=false
brokerDeleteInactiveTopicsEnabled=false
brokerServiceCompactionMonitorIntervalInSeconds=1
retentionCheckIntervalInSeconds=1
numIOThreads=2
numExecutorThreadPoolSize=2
numHttpServerThreads=8
journalSyncData=false
journalMaxGroupWaitMSec=1
diskUsageThreshold=0.99
diskUsageWarnThreshold=0.98
dbStorage_writeCacheMaxSizeMb=16
dbStorage_readAheadCacheMaxSizeMb=16
dbStorage_rocksDB_blockCacheSize=8388608
"""
_WORKER_CONFIGURATION = """
workerId: standalone
workerHostname: 127.0.0.1
numFunctionPackageReplicas: 1
pulsarFunctionsNamespace: public/functions
pulsarFunctionsCluster: standalone
functionMetadataTopicName: metadata
clusterCoordinationTopicName: coordinate
functionAssignmentTopicName: assignments
schedulerClassName: org.apache.pulsar.functions.worker.scheduler.RoundRobinScheduler
failureCheckFreqMs: 1000
rescheduleTimeoutMs: 1000
instanceLivenessCheckFreqMs: 1000
downloadDirectory: {folder}/functions/download
functionsDirectory: {folder}/functions/built-in
connectorsDirectory: {folder}/functions/connectors
narExtractionDirectory: {folder}/functions/extracted
functionRuntimeFactoryClassName: org.apache.pulsar.functions.runtime.process.ProcessRuntimeFactory
functionRuntimeFactoryConfigs:
  pythonInstanceLocation: {python_instance}
  javaInstanceJarLocation: {python_instance}
  logDirectory: {folder}/functions/logs
  extraFunctionDependenciesDir: {folder}/functions/dependencies
"""


class PulsarServer:
    """`service_url` is for clients, `admin_url` for the administration over HTTP."""

    def __init__(self, service_url: str, admin_url: str) -> None:
        self.service_url = service_url
        self.admin_url = admin_url


class OwnPulsarServer(PulsarServer):
    """A standalone Pulsar on free ports of the loopback; a test may stop it and start it again on the same data.

    `configuration` are further lines of its standalone.conf; `token` is for asking whether it is ready, if it wants one.
    """

    def __init__(
        self,
        folder: Path,
        jars: list[Path],
        *,
        configuration: str = "",
        token: str = "",
        python_instance: Path | None = None,
    ) -> None:
        self._broker_port, self._web_port, self._bookie_port = _free_ports(3)
        super().__init__(f"pulsar://127.0.0.1:{self._broker_port}", f"http://127.0.0.1:{self._web_port}")
        self._folder = folder
        self._jars = jars
        self.java_options: tuple[str, ...] = _JAVA_OPTIONS
        self._configuration = configuration
        self._token = token
        self._python_instance = python_instance
        self._log = folder / "pulsar.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def runs(self) -> bool:
        return self._process is not None

    async def start(self) -> None:
        """Returns when it takes messages."""
        await asyncio.to_thread(self.start_now)

    async def stop(self) -> None:
        """Shut it down in order, as an upgrade does. A second call does nothing."""
        await asyncio.to_thread(self.stop_now)

    def start_now(self) -> None:
        """As `start`, for a fixture that waits; raises with the end of its log when it is not ready in time."""
        configuration = self._folder / "standalone.conf"
        ports = {"broker_port": self._broker_port, "web_port": self._web_port}
        configuration.write_text(_CONFIGURATION.format(**ports) + self._configuration)
        arguments = (
            "--config", str(configuration),
            "--metadata-dir", str(self._folder / "metadata"),
            "--bookkeeper-dir", str(self._folder / "bookkeeper"),
            "--bookkeeper-port", str(self._bookie_port),
            "--advertised-address", "127.0.0.1",
            "--no-stream-storage",
            *self._worker_arguments(),
        )  # fmt: skip
        command = java_command(self._jars, _MAIN_CLASS, *arguments, options=self.java_options)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 — our own arguments
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder, env=_environment(),
                start_new_session=True,
            )  # fmt: skip
        self._wait_until_ready(self._process)

    def _worker_arguments(self) -> list[str]:
        if self._python_instance is None:
            return ["--no-functions-worker"]
        configuration = self._folder / "functions_worker.yml"
        configuration.write_text(_WORKER_CONFIGURATION.format(folder=self._folder, python_instance=self._python_instance))
        for name in ("download", "built-in", "connectors", "extracted", "logs", "dependencies"):
            (self._folder / "functions" / name).mkdir(parents=True, exist_ok=True)
        return ["--functions-worker-conf", str(configuration)]

    def stop_now(self, *, kill: bool = False, seconds: float = _STOP_SECONDS) -> None:
        """As `stop`, for a fixture that waits; `kill` ends it at once, as a power failure does, or else after `seconds`."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # functions that its worker left running

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        # The broker is healthy before its cluster is entered, and without one no tenant can be made.
        asked = [
            urllib.request.Request(f"{self.admin_url}/admin/v2/{path}", headers=headers)  # noqa: S310 — as below
            for path in ("brokers/health", "clusters/standalone")
        ]
        while process.poll() is None and time.monotonic() < deadline:
            if all(_answers(each) for each in asked):
                return
            time.sleep(0.1)
        self.stop_now(kill=True)
        raise RuntimeError(f"Pulsar did not start:\n{self._log.read_text(errors='replace')[-4000:]}")


@contextmanager
def pulsar_server() -> Iterator[PulsarServer]:
    """Skips the test, saying what to install, when there is none."""
    if urls := os.environ.get("RINGFORGE_TEST_PULSAR"):
        service_url, _, admin_url = urls.partition(",")
        yield PulsarServer(service_url, admin_url)
        return
    with own_pulsar_server() as server:
        yield server


@contextmanager
def own_pulsar_server(
    *, configuration: str = "", token: str = "", python_instance: Path | None = None
) -> Iterator[OwnPulsarServer]:
    """One that a test may stop; skips as `pulsar_server` does."""
    skip_without_java()
    jars = class_path_now(POM)
    options = archive_options(jars, lambda options: _rehearse(jars, options))
    with tempfile.TemporaryDirectory(prefix="ringforge-pulsar-", ignore_cleanup_errors=True) as folder:
        server = OwnPulsarServer(
            Path(folder), jars, configuration=configuration, token=token, python_instance=python_instance
        )
        server.java_options += options
        try:
            server.start_now()
            yield server
        finally:
            server.stop_now(kill=True)


def _rehearse(jars: list[Path], java_options: tuple[str, ...]) -> None:
    """A server that starts and ends in order."""
    with tempfile.TemporaryDirectory(prefix="ringforge-pulsar-", ignore_cleanup_errors=True) as folder:
        server = OwnPulsarServer(Path(folder), jars)
        server.java_options += java_options
        try:
            server.start_now()
        finally:
            server.stop_now(seconds=DUMP_SECONDS)


def _environment() -> dict[str, str]:
    """In which `python3`, the program that runs functions, is the one that runs the tests."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}


def _answers(request: urllib.request.Request) -> bool:
    try:
        with urllib.request.urlopen(request, timeout=5):  # noqa: S310 — our own server
            return True
    except OSError:
        return False


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
