"""The classes of a Java server, kept parsed and verified: it starts with half the processor time.

`archive_options(jars, rehearse)` are the options of a virtual machine that use the archive of these jars. Without one
`rehearse` is called first, once for all processes: it starts the server with the options that it is given and lets it end
in order, which writes the archive. See "Dynamic AppCDS" of the JDK (JEP 350). An archive belongs to one Java and one class
path; a virtual machine that cannot use it says so and starts without.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from ringforge_core.testkit.maven import cache_folder, locked

DUMP_SECONDS = 90.0
"""Within this time the end of a server writes its archive."""


def archive_options(jars: list[Path], rehearse: Callable[[tuple[str, ...]], None]) -> tuple[str, ...]:
    """For the command that starts the server; nothing where there is still no archive after the rehearsal."""
    archive = cache_folder() / f"{_identity(jars)}.jsa"
    with locked(archive.with_suffix(".lock")):
        if not archive.exists():
            fresh = archive.with_suffix(".new")
            rehearse((f"-XX:ArchiveClassesAtExit={fresh}",))
            if fresh.exists():
                fresh.replace(archive)
    return (f"-XX:SharedArchiveFile={archive}",) if archive.exists() else ()


def _identity(jars: list[Path]) -> str:
    """Of the Java that is first on the path, and of the class path: both are written into an archive."""
    java = Path(shutil.which("java") or "java").resolve()
    told = [str(java), str(java.stat().st_mtime_ns) if java.exists() else "", os.pathsep.join(map(str, jars))]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]
