"""The file that keeps an agent's key pair: readable by its owner alone, never half written.

It is JSON; the bytes are in base64. It is written before the hub hears of the key pair, so that no accepted key is lost.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import msgspec

from ringforge.errors import KeyFileError
from ringforge.key_pair import KeyPair

KEY_DIRECTORY = Path("~/.config/ringforge")
"""Where key files are kept unless the user names another directory."""
OTHERS = 0o077
"""The bits of a mode that let anybody but the owner in."""
LONGEST_NAME = 200
"""Bytes; file systems take 255."""


class StoredKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """`agent_id` and `api_key_sha256` are there when the hub has accepted the public key: the agent, and the hash of the
    API key that it came with. `next_private_key` is one that the hub may have accepted in the place of `private_key`."""

    hub: str
    name: str
    private_key: bytes
    next_private_key: bytes | None = None
    agent_id: str | None = None
    api_key_sha256: str | None = None

    def pairs(self) -> list[KeyPair]:
        """The one of these that the hub knows; the likelier first."""
        return [KeyPair(key) for key in (self.private_key, self.next_private_key) if key is not None]


class KeyFile:
    """One agent's file in the directory. All methods do short blocking work."""

    def __init__(self, directory: Path, hub: str, name: str) -> None:
        """`hub` tells hubs apart, such as `127.0.0.1:4000`."""
        self.hub = hub
        self.name = name
        self.path = directory.expanduser() / _file_name(hub, name)

    def load(self) -> StoredKey | None:
        """None when there is no file; raises `KeyFileError` for one that others can read, or that is no key file."""
        try:
            with self.path.open("rb") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                text = file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable(f"cannot be read: {error.strerror}", "Check who owns it.") from error
        if os.name == "posix" and mode & OTHERS:
            raise self._unusable(
                f"can be read or changed by others (mode {mode:04o})",
                f"If nobody has read it: chmod 600 {self.path}. Else remove it and have an admin reset the agent's key.",
            )
        try:
            stored = msgspec.json.decode(text, type=StoredKey)
            stored.pairs()
        except (msgspec.DecodeError, ValueError) as error:
            raise self._unusable("is no key file", "Remove it; an admin of the hub can reset the agent's key.") from error
        if (stored.hub, stored.name) != (self.hub, self.name):
            raise self._unusable(f"is the key of {stored.name} at {stored.hub}", "Use another key_directory.")
        return stored

    def load_or_create(self) -> StoredKey:
        """The key that is there, or a new one. Of two processes that begin at once, both get the same."""
        stored = self.load()
        if stored is None:
            created = StoredKey(self.hub, self.name, KeyPair().private)
            stored = created if self._write(created, replace=False) else self.load()
        if stored is None:
            raise self._unusable("disappears", "Does something clean up this directory?")
        return stored

    def save(self, stored: StoredKey) -> None:
        self._write(stored, replace=True)

    def _write(self, stored: StoredKey, *, replace: bool) -> bool:
        """Returns False when there is a file already and it is not to be replaced."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix=".", dir=self.path.parent)  # mode 0600
            temporary = Path(name)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(msgspec.json.encode(stored))
                    file.flush()
                    os.fsync(file.fileno())
                if replace:
                    temporary.replace(self.path)
                else:
                    self.path.hardlink_to(temporary)
            finally:
                temporary.unlink(missing_ok=True)
            _sync_directory(self.path.parent)
        except FileExistsError:
            return False
        except OSError as error:
            raise self._unusable(
                f"cannot be written: {error.strerror}", "Name another key_directory, or None to go without a key pair."
            ) from error
        return True

    def _unusable(self, what: str, fix: str) -> KeyFileError:
        return KeyFileError("key_file", f"The key file {self.path} {what}.", fix, {"path": str(self.path)})


def fingerprint(api_key: str) -> str:
    """Tells API keys apart without being one: they have 190 random bits, nobody guesses them from this."""
    return hashlib.sha256(f"ringforge key file {api_key}".encode()).hexdigest()


def _file_name(hub: str, name: str) -> str:
    told = f"{re.sub(r'[^A-Za-z0-9.]+', '-', hub)}-{quote(name, safe=' ')}"
    if len(told) > LONGEST_NAME:
        told = f"{told[: LONGEST_NAME - 17]}~{hashlib.sha256(f'{hub} {name}'.encode()).hexdigest()[:16]}"
    return f"{told}.key"


def _sync_directory(directory: Path) -> None:
    """The new name survives a power cut; not all systems can do this."""
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
