"""The hub itself, as its users start it: `ringforge serve` with the default plugins, SQLite and a data directory."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import msgspec
from websockets.sync.client import connect

from bench.build import BUILD
from bench.servers.child import CannotServe, Child, free_port, serving
from bench.servers.server import AGENT, PARTNER, STAMP, Push, Running, Server, Verb

RINGFORGE = (sys.executable, "-m", "ringforge_core.cli")

NOTE = "x" * 60
"""Fills the event up until a delivered frame, with what the hub adds, is about as long as the reference's."""

KEY = "bench/note"
"""Every fleet's memory has it."""

PUSHES = {
    Verb.PUBLISH: Push("activity:broadcast", f'{{"payload":{{"kind":"custom","description":"{STAMP} {NOTE}"}}}}'),
    Verb.PUBLISH_EPHEMERAL: Push("presence:update", f'{{"payload":{{"state":"busy","task":"{STAMP} {NOTE}"}}}}'),
    # Nobody subscribes to the tag: the event is stored and acknowledged, and delivered to no one.
    Verb.WRITE: Push(
        "activity:broadcast",
        f'{{"payload":{{"kind":"custom","description":"{NOTE}","scope":"tagged","tags":["bench-unheard"]}}}}',
    ),
    Verb.SET: Push("memory:set", f'{{"payload":{{"key":"bench/{AGENT}","value":"{STAMP} {NOTE}"}}}}'),
    Verb.DIRECT: Push("direct:send", f'{{"payload":{{"to":"{PARTNER}","message":{{"text":"{STAMP} {NOTE}"}}}}}}'),
    Verb.REQUEST: Push("memory:get", f'{{"payload":{{"key":"{KEY}"}}}}'),
}


class Access(msgspec.Struct):
    """What `ringforge bootstrap --json` prints, as far as it is needed here."""

    agent_key: str


class Hub(Server):
    name = "hub"
    title = "Ringforge"

    def __init__(self) -> None:
        self.environment: dict[str, str] = {}
        """Settings besides those that every hub of the benchmark has."""
        self._prepared: dict[int, tempfile.TemporaryDirectory[str]] = {}

    def missing(self) -> str | None:
        return None

    @contextmanager
    def start(self, core: int, fleets: int = 1) -> Iterator[Running]:
        port = free_port()
        with _directory() as name:
            directory = Path(name)
            shutil.copytree(self._prepare(core, fleets), directory, dirs_exist_ok=True)
            with _serving(directory, port, core, self.environment) as child:
                yield Running(
                    port=port,
                    pid=child.pid,
                    start_seconds=child.start_seconds,
                    keys_file=directory / "keys",
                    pushes=PUSHES,
                )

    def _prepare(self, core: int, fleets: int) -> Path:
        """A directory with a store in which every fleet has a key and an entry, made once and copied for each start."""
        if fleets not in self._prepared:
            made = _directory()
            keys = [_bootstrap(Path(made.name), f"bench-{number}") for number in range(fleets)]
            keys_file = Path(made.name) / "keys"
            keys_file.touch(mode=0o600)
            keys_file.write_text("\n".join(keys))
            port = free_port()
            with _serving(Path(made.name), port, core, {}):
                for key in keys:
                    _remember(port, key)
            self._prepared[fleets] = made
        return Path(self._prepared[fleets].name)


def _serving(directory: Path, port: int, core: int, more: Mapping[str, str]) -> AbstractContextManager[Child]:
    return serving(
        [*RINGFORGE, "serve"],
        core=core,
        is_ready=lambda: _is_healthy(port),
        log=directory / "log",
        cwd=directory,
        environment={"RINGFORGE__HUB__LISTEN": f"127.0.0.1:{port}", "RINGFORGE__LOG__LEVEL": "warning", **more},
    )


def _remember(port: int, key: str) -> None:
    """Set the entry that the requests ask for."""
    url = f"ws://127.0.0.1:{port}/ws/websocket?vsn=2.0.0"
    with connect(url, additional_headers={"Authorization": f"Bearer {key}"}) as socket:
        for ref, event, payload in (("1", "phx_join", {}), ("2", "memory:set", {"key": KEY, "value": NOTE})):
            socket.send(json.dumps(["1", ref, "fleet:lobby", event, payload]))
            while (answer := json.loads(socket.recv(timeout=10)))[1] != ref:
                pass
            if answer[4]["status"] != "ok":
                raise CannotServe(f"{event} was refused: {answer[4]}")


def _directory() -> tempfile.TemporaryDirectory[str]:
    """Beside the programs and not under /tmp, which is often in memory: durable must mean the disk."""
    BUILD.mkdir(exist_ok=True)
    return tempfile.TemporaryDirectory(dir=BUILD, prefix="hub-")


def _bootstrap(directory: Path, tenant: str) -> str:
    """A tenant with a fleet; returns a key for its agents."""
    command = [*RINGFORGE, "bootstrap", "--tenant", tenant, "--json"]
    done = subprocess.run(command, cwd=directory, env=os.environ, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    if done.returncode:
        raise CannotServe(f"`ringforge bootstrap` failed:\n{done.stderr}")
    return msgspec.json.decode(done.stdout, type=Access).agent_key


def _is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/api/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()
