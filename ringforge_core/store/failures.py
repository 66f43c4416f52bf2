"""What a database's exception means to core."""

from __future__ import annotations

import sqlalchemy.exc as vendor

from ringforge_core.errors import Conflict, InvalidPayload, RingforgeError, Unavailable

_GONE = ("08", "57P")  # PostgreSQL: connection exception; shut down, crashed, starting up
_REFUSED = ("28", "3D", "53")  # PostgreSQL: wrong credentials, no such database, too many connections
_LOST_RACE = frozenset({"40001", "40P01"})  # PostgreSQL: serialization failure, deadlock
_DATA_EXCEPTION = "22"  # PostgreSQL's class of values that a column cannot keep, such as U+0000 in JSON
_SQLITE_ERROR = 1  # SQLite: the statement is wrong; all its other codes tell of the file, the disk or a lock


def translated(error: Exception) -> Exception:
    """Core's error for a vendor's, with that as its cause; any other exception is left as it is."""
    meaning = _meaning(error)
    if meaning is None:
        return error
    meaning.__cause__ = error
    return meaning


def is_outage(error: Exception) -> bool:
    """The database's trouble, which is nobody's fault and everybody's."""
    return isinstance(_meaning(error), Unavailable)


def is_lost(error: Exception) -> bool:
    """The connection is gone, so nothing more can be run on it."""
    if isinstance(error, vendor.DBAPIError):
        return error.connection_invalidated or _sqlstate(error).startswith(_GONE)
    return isinstance(error, OSError)


def is_lost_race(error: Exception) -> bool:
    """The database gave way to another transaction; the same work may well succeed at once."""
    return isinstance(error, vendor.DBAPIError) and _sqlstate(error) in _LOST_RACE


def _meaning(error: Exception) -> RingforgeError | None:
    if isinstance(error, vendor.IntegrityError):
        return Conflict(
            "Another change came first, or something it refers to does not exist.",
            fix="Read the current state and try again.",
        )
    if isinstance(error, vendor.DataError) or _sqlstate(error).startswith(_DATA_EXCEPTION):
        return InvalidPayload("The database cannot keep one of the values.", fix="Look for U+0000 and for huge numbers.")
    if isinstance(error, vendor.TimeoutError) or is_lost(error) or is_lost_race(error):
        return Unavailable("The database does not answer.")
    if _sqlstate(error).startswith(_REFUSED):
        return Unavailable(f"The database refuses the hub: {getattr(error, 'orig', error)}", fix="Check the [store] url.")
    if isinstance(error, (vendor.OperationalError, vendor.InterfaceError)) and not _is_wrong_statement(error):
        return Unavailable("The database does not answer.")
    if isinstance(error, vendor.SQLAlchemyError):
        return RingforgeError("The hub asked the database for something impossible.", fix="Report it with the hub's log.")
    return None


def _sqlstate(error: Exception) -> str:
    return getattr(getattr(error, "orig", None), "sqlstate", None) or ""


def _is_wrong_statement(error: vendor.DBAPIError) -> bool:
    return getattr(error.orig, "sqlite_errorcode", None) == _SQLITE_ERROR
