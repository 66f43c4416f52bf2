"""What agents send and get about the past; source: wire protocol 3.5."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ringforge_core.mesh.fields import STORABLE
from ringforge_core.plugin import Reason, Reply, Request

Text = Annotated[str, Meta(max_length=100, pattern=STORABLE)]
Filter = Annotated[tuple[Text, ...], Meta(max_length=100)]


class RequestReplay(Request):
    """`from` and `to` are inclusive, ISO 8601, UTC when they name no zone; `tags` matches any of, the rest all of.

    `cursor` is the `next_cursor` of the page before; `after_event_id` begins behind an event that was seen.
    """

    since: datetime | None = msgspec.field(name="from", default=None)
    until: datetime | None = msgspec.field(name="to", default=None)
    kinds: Filter = ()
    tags: Filter = ()
    agents: Filter = ()
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    cursor: Annotated[str | None, Reason("invalid_cursor")] = None
    after_event_id: Text | None = None


class ReplayResult(Reply):
    """Oldest first; `total` counts this page; `next_cursor` is null on the last one."""

    wire = "replay:result"

    events: list[dict[str, Any]]
    total: int
    since: str | None = msgspec.field(name="from")
    until: str | None = msgspec.field(name="to")
    next_cursor: str | None
