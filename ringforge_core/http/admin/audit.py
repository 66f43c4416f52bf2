"""The tenant's audit log."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Controller, get
from litestar.params import QueryParameter

from ringforge_core.audit import read_entries
from ringforge_core.errors import InvalidPayload
from ringforge_core.http.admin.call import MOST, Call, Cursor, Limit
from ringforge_core.http.admin.refusals import refusals
from ringforge_core.http.admin.texts import LINE
from ringforge_core.plugin.records import AuditRecord

Action = Annotated[
    str | None, QueryParameter(max_length=100, pattern=LINE, description="Only these, such as `api_key.created`.")
]
_LARGEST = 2**63 - 1


class AuditPage(msgspec.Struct):
    """`count` is of this page; `next_cursor` is null on the last one."""

    entries: list[AuditRecord]
    count: int
    next_cursor: str | None


class AuditController(Controller):
    path = "/audit"
    tags = ("Audit",)

    @get(summary="Read the audit log", response_description="A page of entries", responses=refusals())
    async def index(self, call: Call, action: Action = None, limit: Limit = MOST, cursor: Cursor = None) -> AuditPage:
        """Who did what, newest first. Each entry's `hash` covers the one before it: `ringforge audit verify` finds what
        was changed or is missing."""
        before = None if cursor is None else _seq_of(cursor)
        found = await read_entries(call.store, call.tenant_id, before_seq=before, action=action, limit=limit + 1)
        entries = found[:limit]
        return AuditPage(entries, len(entries), str(entries[-1].seq) if len(found) > limit else None)


def _seq_of(cursor: str) -> int:
    if cursor.isascii() and cursor.isdecimal() and len(cursor) < 20 and int(cursor) <= _LARGEST:
        return int(cursor)
    raise InvalidPayload(
        "cursor is not one that a page came with.", reason="invalid_cursor", field="cursor",
        fix="Send the next_cursor of the page before, as it is.",
    )  # fmt: skip
