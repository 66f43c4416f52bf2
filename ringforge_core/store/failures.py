"""What a database's exception means to core."""

from __future__ import annotations

import sqlalchemy.exc as vendor

from ringforge_core.errors import Conflict, Unavailable

_LOST_RACE = frozenset({"40001", "40P01"})  # PostgreSQL: serialization failure, deadlock


def translated(error: Exception) -> Exception:
    """The core's error for a vendor's; anything else, a bug of a write function for instance, is left as it is."""
    if isinstance(error, vendor.IntegrityError):
        return Conflict(
            "Another change came first, or something it refers to does not exist.",
            fix="Read the current state and try again.",
        )
    if isinstance(error, (vendor.OperationalError, vendor.InterfaceError, vendor.TimeoutError, OSError)) or is_lost(error):
        return Unavailable("The database does not answer.")
    return error


def is_lost(error: Exception) -> bool:
    """The connection is gone, so nothing more can be run on it."""
    return isinstance(error, OSError) or (isinstance(error, vendor.DBAPIError) and error.connection_invalidated)


def is_lost_race(error: Exception) -> bool:
    """The database gave way to another transaction; the same work may well succeed at once."""
    return isinstance(error, vendor.DBAPIError) and getattr(error.orig, "sqlstate", None) in _LOST_RACE
