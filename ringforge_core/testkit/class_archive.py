"""The classes of a Java server, kept parsed and verified: it starts with half the processor time.

`archive_options(jars, rehearse)` are the options of a virtual machine that use the archive of these jars. Without one
`rehearse` is called first, by one process; the others go without meanwhile. It starts the server with the options that it
is given and lets it end in order, which writes the archive. See "Dynamic AppCDS" of the JDK (JEP 350). An archive belongs
to one Java and one class path; a virtual machine that cannot use it says so and starts without.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from ringforge_core.testkit.maven import cache_folder, locked_now

DUMP_SECONDS = 90.0
"""Within this time the end of a server writes its archive."""


def archive_options(jars: list[Path], rehearse: Callable[[tuple[str, ...]], None]) -> tuple[str, ...]:
    """For the command that starts the server; nothing where there is no archive yet, also after a rehearsal."""
    archive = cache_folder() / f"{_identity(jars)}.jsa"
    if not archive.exists():
        with locked_now(archive.with_suffix(".lock")) as mine:
            if mine and not archive.exists():
                _write(archive, rehearse)
    return (f"-XX:SharedArchiveFile={archive}",) if archive.exists() else ()


def _write(archive: Path, rehearse: Callable[[tuple[str, ...]], None]) -> None:
    fresh = archive.with_suffix(".new")
    rehearse((f"-XX:ArchiveClassesAtExit={fresh}",))
    if fresh.exists():
        fresh.replace(archive)


def _identity(jars: list[Path]) -> str:
    """Of the Java that is first on the path, and of the class path: both are written into an archive."""
    java = Path(shutil.which("java") or "java").resolve()
    told = [str(java), str(java.stat().st_mtime_ns) if java.exists() else "", os.pathsep.join(map(str, jars))]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]
