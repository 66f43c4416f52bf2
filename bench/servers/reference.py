"""The C server that everything is compared with; `native/reference_server.c` says what it does and does not."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.build import program
from bench.servers.child import accepts_connections, free_port, serving
from bench.servers.server import AGENT, STAMP, Push, Running, Server, Verb

BODY = f'{{"payload":{{"kind":"custom","description":"{STAMP}","tags":["a","b"],"data":{{"note":"{"x" * 200}"}}}}}}'

PUSHES = {
    Verb.PUBLISH: Push("bench:broadcast", BODY),
    Verb.PUBLISH_EPHEMERAL: Push("bench:broadcast", BODY),
    Verb.WRITE: Push("bench:write", BODY),
    Verb.SET: Push("bench:write", BODY),
    Verb.DIRECT: Push("bench:direct", BODY),
    Verb.REQUEST: Push("bench:request", f'{{"payload":{{"key":"bench/{AGENT}"}}}}'),
}


class Reference(Server):
    name = "reference"
    title = "C reference"

    def missing(self) -> str | None:
        return None

    @contextmanager
    def start(self, core: int, fleets: int = 1) -> Iterator[Running]:
        port = free_port()
        with (
            tempfile.TemporaryDirectory(prefix="ringforge-bench-") as directory,
            serving(
                [str(program("reference_server")), str(port)],
                core=core,
                is_ready=lambda: accepts_connections(port),
                log=Path(directory) / "log",
            ) as child,
        ):
            yield Running(port=port, pid=child.pid, start_seconds=child.start_seconds, pushes=PUSHES)
