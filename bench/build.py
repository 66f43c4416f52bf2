"""Compiles the C programs of `native/` into `build/`, when they are missing or older than their sources."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

NATIVE = Path(__file__).parent / "native"
BUILD = Path(__file__).parent / "build"
FLAGS = ("-std=c99", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Wconversion")

SHARED = ("websocket.c", "bytes.c", "fatal.c")


class CannotBuild(Exception):
    """The C programs cannot be compiled; the text says what is missing."""


def program(name: str) -> Path:
    """The path of the compiled program `loadgen` or `reference_server`."""
    binary = BUILD / name
    if not _is_current(binary):
        _compile(name, binary)
    return binary


def _is_current(binary: Path) -> bool:
    newest = max(path.stat().st_mtime for path in (*NATIVE.iterdir(), Path(__file__)))
    return binary.exists() and binary.stat().st_mtime > newest


def _sources(name: str) -> list[Path]:
    """A program is its own file and the shared ones; the load generator is all but the other program."""
    if name == "reference_server":
        return [NATIVE / file for file in ("reference_server.c", *SHARED)]
    return sorted(path for path in NATIVE.glob("*.c") if path.name != "reference_server.c")


def _compile(name: str, binary: Path) -> None:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise CannotBuild(
            "The load generator is written in C and no compiler is here. Debian and Ubuntu: apt-get install gcc libc6-dev"
        )
    BUILD.mkdir(exist_ok=True)
    unfinished = binary.with_suffix(".new")
    command = [compiler, *FLAGS, "-o", str(unfinished), *map(str, _sources(name))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603 — our own sources
    if done.returncode:
        raise CannotBuild(f"{compiler} could not compile {name}:\n{done.stderr}")
    unfinished.replace(binary)
