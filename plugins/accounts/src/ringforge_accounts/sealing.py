"""Secrets that must be readable again, encrypted at rest: XChaCha20-Poly1305 of libsodium."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from nacl.exceptions import CryptoError
from nacl.secret import Aead
from nacl.utils import random

from ringforge_core.errors import ConfigError
from ringforge_core.plugin import Secret

KEY_FILE = "accounts.key"


class Sealer:
    """Seals under the first key, opens with any. What is sealed `for_` one row opens for no other."""

    def __init__(self, keys: Sequence[Secret]) -> None:
        derived = [
            hashlib.blake2b(key.reveal().encode(), digest_size=32, person=b"ringforge-people").digest() for key in keys
        ]
        self._boxes = [Aead(key) for key in derived]

    def seal(self, secret: bytes, *, for_: str) -> bytes:
        return bytes(self._boxes[0].encrypt(secret, for_.encode()))

    def is_current(self, sealed: bytes, *, for_: str) -> bool:
        """Whether it was sealed under the first key."""
        try:
            self._boxes[0].decrypt(sealed, for_.encode())
        except CryptoError:
            return False
        return True

    def open(self, sealed: bytes, *, for_: str) -> bytes:
        """Raises `ConfigError` when no key opens it."""
        for box in self._boxes:
            try:
                return box.decrypt(sealed, for_.encode())
            except CryptoError:
                continue
        raise ConfigError(
            "A secret of an account was encrypted under a key that this hub does not have.",
            fix="Name the earlier key in [capabilities.accounts] old_encryption_keys.",
        )


def key_of_this_node(directory: Path) -> Secret:
    """The key in the file of the data directory, which is made when it is missing, readable for its owner only."""
    path = directory / KEY_FILE
    directory.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return Secret(path.read_text().strip())
    with os.fdopen(descriptor, "w") as file:
        file.write(random(32).hex())
    return Secret(path.read_text().strip())
