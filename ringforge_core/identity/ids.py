"""Identifiers, API keys and instants in their wire forms. Everything random comes from the system's CSPRNG."""

from __future__ import annotations

import hashlib
import secrets
import string
import uuid
from datetime import UTC, datetime
from typing import Literal

KeyKind = Literal["live", "test", "admin"]

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
AGENT_ID_LENGTH = 12
KEY_LENGTH = 32
KEY_PREFIX_LENGTH = 12


def new_uuid() -> str:
    """A UUID version 4, for instance of a tenant, fleet, key or session."""
    return str(uuid.uuid4())


def new_id(prefix: str) -> str:
    """`<prefix>_` and 128 random bits as hex grouped 8-4-4-4-12."""
    digits = secrets.token_hex(16)
    return f"{prefix}_{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def new_event_id() -> str:
    return new_id("evt")


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


def now() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(UTC)


def iso(at: datetime) -> str:
    """An aware instant as it stands on the wire: `2026-01-31T12:00:00.000001Z`."""
    if at.tzinfo is not UTC:
        at = at.astimezone(UTC)
    return at.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _base62(length: int) -> str:
    return "".join(secrets.choice(BASE62) for _ in range(length))
