"""The class path of a Java server, resolved by Maven once and kept for all processes and later runs.

A server's versions are pinned in a `pom.xml` beside the module that starts it. `await class_path(pom)` is the list of its
jars; `skip_without_java()` skips a test and says what to install. Nothing is downloaded twice: jars stay in Maven's
own repository, the resolved list in `$XDG_CACHE_HOME/ringforge/maven` (`~/.cache` without it).
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_RESOLVE = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath"
_DOWNLOAD_SECONDS = 600
_MISSING = "no {}: `apt-get install maven openjdk-17-jre-headless`"


class MavenError(RuntimeError):
    """Maven could not resolve a class path; the message ends with what it printed."""


def missing_program() -> str | None:
    """The first program that is needed and not installed."""
    return next((program for program in ("java", "mvn") if shutil.which(program) is None), None)


def skip_without_java() -> None:
    """Skip the test, saying what to install, when a program is missing."""
    if (program := missing_program()) is not None:
        pytest.skip(_MISSING.format(program))


async def class_path(pom: Path) -> list[Path]:
    """The jars that the `pom.xml` needs at run time, downloaded if they are not here yet. Raises `MavenError`."""
    return await asyncio.to_thread(class_path_now, pom)


def java_command(jars: list[Path], main_class: str, *arguments: str, options: tuple[str, ...] = ()) -> list[str]:
    """How to run a main class of these jars; `options` are those of the virtual machine, for instance `-Xmx384m`."""
    return ["java", *options, "-cp", os.pathsep.join(map(str, jars)), main_class, *arguments]


def class_path_now(pom: Path) -> list[Path]:
    """As `class_path`, for a fixture that waits."""
    folder = cache_folder()
    resolved = folder / f"{pom.stem}-{hashlib.sha256(pom.read_bytes()).hexdigest()[:16]}.txt"
    with locked(folder / "lock"):  # one Maven at a time: its repository is not made for two writers
        if not (jars := _read(resolved)):
            _resolve(pom, resolved)
            jars = _read(resolved)
    if not jars:
        raise MavenError(f"Maven resolved {pom} to no jar that is there")
    return jars


def _read(resolved: Path) -> list[Path]:
    """The jars that were resolved before; none when one of them is gone."""
    if not resolved.exists():
        return []
    jars = [Path(jar) for jar in resolved.read_text().strip().split(os.pathsep) if jar]
    return jars if all(jar.exists() for jar in jars) else []


def _resolve(pom: Path, into: Path) -> None:
    fresh = into.with_suffix(".new")
    command = [
        "mvn", "--batch-mode", "--quiet", "--file", str(pom),
        _RESOLVE, f"-Dmdep.outputFile={fresh}", "-Dmdep.includeScope=runtime",
    ]  # fmt: skip
    run = subprocess.run(  # noqa: S603 — our own arguments
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=_DOWNLOAD_SECONDS, check=False,
    )  # fmt: skip
    if run.returncode != 0:
        raise MavenError(f"Maven could not resolve {pom}:\n{run.stdout[-2000:]}")
    fresh.replace(into)


def cache_folder() -> Path:
    """Where what takes long to make is kept for later runs."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ringforge" / "maven"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Held by one process of this machine at a time; the others wait."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def locked_now(path: Path) -> Iterator[bool]:
    """Whether it is held: not while another process does."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
