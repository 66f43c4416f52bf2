"""The chain: each entry of a tenant carries the hash of the one before it, so none can be changed or taken out unseen.

The hash is the SHA-256, in lower hex, of this JSON text in UTF-8, without spaces:

    [prev_hash, tenant_id, seq, at, action, actor_type, actor_id, target_type, target_id, ip_address, metadata]

`at` counts microseconds since 1970 UTC; absent texts are null; `metadata` is a text, the JSON of the metadata with sorted
keys. The first entry has seq 1 and follows `GENESIS`.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

import msgspec

from ringforge_core.plugin.schema import microseconds

GENESIS = "0" * 64

_encode = msgspec.json.Encoder(order="sorted").encode


class Link(msgspec.Struct, frozen=True):
    """An entry of the log as it is stored."""

    tenant_id: str
    seq: int
    at: datetime
    action: str
    actor_type: str
    actor_id: str
    target_type: str | None
    target_id: str | None
    ip_address: str | None
    metadata: str
    prev_hash: str
    hash: str = ""


def metadata_text(metadata: dict[str, Any]) -> str:
    """The canonical JSON of an entry's metadata: what is hashed is what is stored."""
    return _encode(metadata).decode()


def hash_of(link: Link) -> str:
    text = _encode(
        [
            link.prev_hash, link.tenant_id, link.seq, microseconds(link.at), link.action, link.actor_type, link.actor_id,
            link.target_type, link.target_id, link.ip_address, link.metadata,
        ]
    )  # fmt: skip
    return hashlib.sha256(text).hexdigest()
