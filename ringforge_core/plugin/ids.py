"""Identifiers and instants in their wire forms. Everything random comes from the system's CSPRNG."""

from __future__ import annotations

import secrets
import time
import uuid
from datetime import UTC, datetime


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


def now() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(UTC)


def iso(at: datetime) -> str:
    """An aware instant as it stands on the wire: `2026-01-31T12:00:00.000001Z`."""
    if at.tzinfo is not UTC:
        at = at.astimezone(UTC)
    return at.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
