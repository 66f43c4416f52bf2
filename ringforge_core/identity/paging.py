"""Lists by cursor: rows ordered by when they were inserted, the next page beginning after the last row of this one."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from ringforge_core.errors import InvalidPayload

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def page_of(query: sa.Select[Any], table: sa.Table, *, cursor: str | None, limit: int) -> sa.Select[Any]:
    """The query for one page of `table`, newest first, and one row more. Raises `InvalidPayload` for a strange cursor.

    The table has `inserted_at` and `id`.
    """
    at, row_id = table.c.inserted_at, table.c.id
    if cursor is not None:
        last_at, last_id = _decode(cursor)
        query = query.where(sa.or_(at < last_at, sa.and_(at == last_at, row_id > last_id)))
    return query.order_by(at.desc(), row_id).limit(limit + 1)


def next_cursor(rows: list[Any], limit: int) -> str | None:
    """The cursor after the first `limit` of the rows that `page_of` brought; each has `inserted_at` and `id`."""
    if len(rows) <= limit:
        return None
    last = rows[limit - 1]
    return cursor_after(last["inserted_at"], last["id"])


def cursor_after(inserted_at: datetime, row_id: str) -> str:
    """The cursor of the page that begins after this row."""
    text = f"{(inserted_at - _EPOCH) // _MICROSECOND}:{row_id}"
    return base64.urlsafe_b64encode(text.encode()).decode()


def _decode(cursor: str) -> tuple[datetime, str]:
    try:
        at, separator, row_id = base64.b64decode(cursor, altchars=b"-_", validate=True).decode("ascii").partition(":")
        if not (separator and row_id.isprintable()):
            raise ValueError(cursor)
        return _EPOCH + timedelta(microseconds=int(at)), row_id
    except (binascii.Error, ValueError, OverflowError) as error:
        raise InvalidPayload(
            "cursor is not one that a page came with.",
            reason="invalid_cursor",
            field="cursor",
            fix="Send the cursor of the page before, as it is.",
        ) from error
