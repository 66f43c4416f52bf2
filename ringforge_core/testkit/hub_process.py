"""A real hub in its own process, to be driven over its socket, killed and started again on the same data."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from pathlib import Path

import msgspec

START_SECONDS = 20.0


class Keys(msgspec.Struct):
    """What `ringforge bootstrap --json` prints."""

    tenant_id: str
    fleet_id: str
    admin_key: str
    agent_key: str


def free_port() -> int:
    """A port of the loopback interface that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class HubProcess:
    """`ringforge serve` on a port that stays the same over restarts.

    `settings` are environment variables such as `RINGFORGE__HUB__IDLE_SECONDS`; the log goes to `<directory>/hub.log`.
    """

    def __init__(self, directory: Path, *, settings: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        self.port = free_port()
        self.log = directory / "hub.log"
        self._process: Process | None = None
        self._environment = {
            **os.environ,
            "RINGFORGE__HUB__LISTEN": f"127.0.0.1:{self.port}",
            "RINGFORGE__HUB__NODE": f"hub-{self.port}",
            "RINGFORGE__HUB__DATA_DIRECTORY": str(directory / "data"),
            "RINGFORGE__STORE__URL": f"sqlite:///{directory / 'data' / 'hub.db'}",
            **(settings or {}),
        }

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def websocket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "the hub is not running"  # noqa: S101 — a test's own mistake
        return self._process.pid

    async def start(self) -> None:
        """Returns when the hub is ready; raises with the end of its log when it is not in time."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "ringforge_core.cli", "serve", cwd=self.directory, env=self._environment,
                stdin=DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            async with asyncio.timeout(START_SECONDS):
                while not await self._is_ready():
                    if self._process.returncode is not None:
                        raise RuntimeError(f"the hub ended at its start:\n{self._log_tail()}")
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise RuntimeError(f"the hub is not ready after {START_SECONDS:g} s:\n{self._log_tail()}") from None

    async def kill(self) -> None:
        """`kill -9`: nothing of the hub runs any more when this returns."""
        await self._end(kill=True)

    async def stop(self) -> None:
        """SIGTERM: the hub drains and ends. A second call does nothing."""
        await self._end(kill=False)

    async def restart(self) -> None:
        """`kill -9`, then start again on the same data and port."""
        await self.kill()
        await self.start()

    async def bootstrap(self, tenant: str = "default") -> Keys:
        """A tenant's ids and a fresh pair of keys, made with the CLI beside the running hub."""
        return msgspec.convert(json.loads(await self.run("bootstrap", "--tenant", tenant, "--json")), Keys)

    async def run(self, *arguments: str) -> str:
        """Run a CLI command against this hub's configuration; returns its stdout, raises with its stderr."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ringforge_core.cli", *arguments, cwd=self.directory, env=self._environment,
            stdin=DEVNULL, stdout=PIPE, stderr=PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        if process.returncode != 0:
            raise RuntimeError(f"ringforge {' '.join(arguments)} ended with {process.returncode}: {err.decode()}")
        return out.decode()

    async def _end(self, *, kill: bool) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        if kill:
            process.kill()
        else:
            process.terminate()
        await process.wait()

    async def _is_ready(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        try:
            writer.write(b"GET /api/health/ready HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n")
            return (await reader.readline()).split()[1:2] == [b"200"]
        except OSError:
            return False
        finally:
            writer.close()

    def _log_tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])
