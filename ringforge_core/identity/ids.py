"""Agent ids and API keys in their wire forms, beside the ids and instants that plugins make as well."""

from __future__ import annotations

import hashlib
import secrets
import string

from ringforge_core.plugin.ids import iso, new_event_id, new_id, new_uuid, now
from ringforge_core.plugin.records import KeyKind

__all__ = [
    "KeyKind",
    "iso",
    "key_digest",
    "key_prefix",
    "new_agent_id",
    "new_api_key",
    "new_event_id",
    "new_id",
    "new_uuid",
    "now",
]


BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
AGENT_ID_LENGTH = 12
KEY_LENGTH = 32
KEY_PREFIX_LENGTH = 12


def new_agent_id() -> str:
    """`ag_` and 12 base62 characters, 71 random bits."""
    return "ag_" + _base62(AGENT_ID_LENGTH)


def new_api_key(kind: KeyKind) -> str:
    """`rf_<kind>_` and 32 base62 characters, 190 random bits."""
    return f"rf_{kind}_{_base62(KEY_LENGTH)}"


def key_digest(key: str) -> str:
    """What is stored of a key: lower-hex SHA-256. A key is random enough that no slow hash is needed."""
    return hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()


def key_prefix(key: str) -> str:
    """The characters by which people tell keys apart: the kind and the first random ones."""
    return key[:KEY_PREFIX_LENGTH]


def _base62(length: int) -> str:
    return "".join(secrets.choice(BASE62) for _ in range(length))
