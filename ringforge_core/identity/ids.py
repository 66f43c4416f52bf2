"""Identifiers, API keys and instants in their wire forms. Everything random comes from the system's CSPRNG."""

from __future__ import annotations

import hashlib
import secrets
import string
import time
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
    """`<prefix>_` and a UUID version 7 (RFC 9562, 5.7): the milliseconds since 1970, then 74 random bits.

    Ids of one time are neighbours in an index: with random ones each new row dirties a page of its own.
    """
    since_1970, drawn = f"{time.time_ns() // 1_000_000:012x}", secrets.token_hex(10)
    variant = "89ab"[int(drawn[3], 16) & 3]
    return f"{prefix}_{since_1970[:8]}-{since_1970[8:]}-7{drawn[:3]}-{variant}{drawn[4:7]}-{drawn[7:19]}"


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
    return at.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def _base62(length: int) -> str:
    return "".join(secrets.choice(BASE62) for _ in range(length))
