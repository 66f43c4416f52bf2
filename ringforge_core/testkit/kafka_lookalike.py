"""A stand-in for Apache Kafka where Java or Maven is missing: noida-db, a program in a wheel of the same name.

It is not Kafka: what passes on it alone is not proved. A test that asks for it says by name what it cannot prove there.
"""

from __future__ import annotations

import importlib.util
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = "noida-db"
_START_SECONDS = 20.0
_STOP_SECONDS = 10.0


def lookalike_program() -> Path | None:
    """The broker's program, when the wheel is installed."""
    found = importlib.util.find_spec("noida_db")
    if found is None or found.origin is None:
        return None
    program = Path(found.origin).with_name("noida-db")
    return program if program.exists() else None


@contextmanager
def lookalike_address(program: Path, port: int) -> Iterator[str]:
    """Run it on this port of the loopback, in a folder that goes with it; yields host:port when it serves."""
    folder = Path(tempfile.mkdtemp(prefix="ringforge-noida-"))
    log = folder / "broker.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 — our own arguments
            [program, "start", "--data-dir", folder / "data", "--only", "kafka", "--kafka-port", str(port)],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        _wait_until_ready(process, port, log)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder)


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"{NAME} did not start:\n{log.read_text(errors='replace')[-2000:]}")
