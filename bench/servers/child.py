"""Child processes that serve: started on a core, waited for, stopped by their own pid."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from bench.cores import on_core

START_SECONDS = 30
STOP_SECONDS = 15
POLL_SECONDS = 0.005


class CannotServe(Exception):
    """A server did not come up; the text holds the end of its log."""


class Child(msgspec.Struct, frozen=True):
    pid: int
    start_seconds: float


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def accepts_connections(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def serving(
    command: Sequence[str],
    *,
    core: int,
    is_ready: Callable[[], bool],
    log: Path,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Child]:
    """Start `command`, wait until it is ready, stop it at the end."""
    with log.open("wb") as output, on_core(core):
        started = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 — the commands are written in this package
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
        )
    try:
        _wait_until_ready(process, is_ready, log)
        yield Child(process.pid, time.perf_counter() - started)
    finally:
        _stop(process)


def _wait_until_ready(process: subprocess.Popen[bytes], is_ready: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not is_ready():
        if process.poll() is not None:
            raise CannotServe(f"{process.args!r} ended with status {process.returncode}:\n{_end_of(log)}")
        if time.monotonic() > deadline:
            raise CannotServe(f"{process.args!r} did not serve within {START_SECONDS} s:\n{_end_of(log)}")
        time.sleep(POLL_SECONDS)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])
