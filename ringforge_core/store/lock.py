"""One hub per database file: a lock that the kernel lets go when its process dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from ringforge_core.errors import StoreInUse


class FileLock:
    """Holds `<database>.lock`, which names its owner's process."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + ".lock")
        self._descriptor: int | None = None

    def take(self) -> None:
        """Raises `StoreInUse` when another process, or another store of this one, has it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(descriptor, 32).decode().strip() or "unknown"
            os.close(descriptor)
            raise StoreInUse(
                f"Another hub (process {owner}) uses this database; it holds {self._path}.",
                fix=f"Stop process {owner}, or give this hub another [store] url. Several hubs can share a PostgreSQL.",
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
