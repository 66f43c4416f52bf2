"""Ed25519: the private half proves who the agent is and never leaves its machine."""

from __future__ import annotations

from nacl.signing import SigningKey

KEY_BYTES = 32


class KeyPair:
    """Made at random, or from its 32 private bytes."""

    def __init__(self, private: bytes | None = None) -> None:
        """`ValueError` for anything but 32 bytes."""
        self._signing = SigningKey.generate() if private is None else SigningKey(private)

    def __repr__(self) -> str:
        return f"<key pair with the public key {self.public.hex()}>"

    @property
    def private(self) -> bytes:
        return bytes(self._signing)

    @property
    def public(self) -> bytes:
        return bytes(self._signing.verify_key)

    def sign(self, message: bytes) -> bytes:
        """The signature, 64 bytes."""
        return self._signing.sign(message).signature
