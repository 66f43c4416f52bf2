"""What agents send and get about their keys; source: wire protocol 2.7."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from ringforge_core.plugin import Reason, Reply, Request

Base64 = Annotated[str, Meta(max_length=200)]


class RotateKey(Request):
    """The new Ed25519 key, 32 raw bytes in base64, and the old key's signature of those 32 bytes, in base64 as well.

    The signature may be left out unless the tenant wants it; one that is given must be right.
    """

    public_key: Annotated[Base64, Reason("invalid_public_key")]
    signature: Annotated[Base64 | None, Reason("invalid_signature")] = None


class KeyRotated(Reply):
    """`rotated_at` is ISO 8601 UTC."""

    wire = "auth:key_rotated"

    agent_id: str
    public_key: str
    rotated_at: str
