"""Node with the `ws` package: what an agent hub written in an afternoon looks like. The server is `peers/node_ws.mjs`."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.servers.child import accepts_connections, free_port, serving
from bench.servers.reference import PUSHES
from bench.servers.server import Running, Server, Verb

PEERS = Path(__file__).parent.parent / "peers"


class NodeWs(Server):
    name = "node-ws"
    title = "Node ws"
    verbs = frozenset(Verb) - {Verb.WRITE, Verb.SET, Verb.DIRECT}

    def missing(self) -> str | None:
        if shutil.which("node") is None:
            return "install Node.js 18 or newer, then: npm --prefix bench/peers ci"
        return None if (PEERS / "node_modules" / "ws").is_dir() else "npm --prefix bench/peers ci"

    @contextmanager
    def start(self, core: int, fleets: int = 1) -> Iterator[Running]:
        port = free_port()
        with (
            tempfile.TemporaryDirectory(prefix="ringforge-bench-") as directory,
            serving(
                ["node", str(PEERS / "node_ws.mjs"), str(port)],
                core=core,
                is_ready=lambda: accepts_connections(port),
                log=Path(directory) / "log",
            ) as child,
        ):
            yield Running(port=port, pid=child.pid, start_seconds=child.start_seconds, pushes=PUSHES)
