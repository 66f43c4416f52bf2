"""The past of the fleet: filtered, page by page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from ringforge.activity import ActivityEvent
from ringforge.errors import RateLimited
from ringforge.requests import Requests

Instant: TypeAlias = datetime | str

LARGEST_PAGE = 1000


class ReplayPage(msgspec.Struct, frozen=True):
    """Events oldest first; `next_cursor` asks for the page after it, None on the last page."""

    events: tuple[ActivityEvent, ...]
    total: int
    next_cursor: str | None = None


class Replay:
    """Reads what was told before. The hub takes five requests a minute from one agent."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    async def request(
        self,
        from_: Instant | None = None,
        to: Instant | None = None,
        *,
        kinds: Iterable[str] = (),
        tags: Iterable[str] = (),
        agents: Iterable[str] = (),
        limit: int = 100,
        cursor: str | None = None,
    ) -> ReplayPage:
        """One page of at most `limit` (1 to 1000) events.

        Times are ISO 8601 or datetimes with a zone, both ends included.
        `kinds` and `agents` (ids) name what is wanted, of `tags` an event has any.
        """
        filters: dict[str, Any] = {
            "from": iso(from_), "to": iso(to), "kinds": list(kinds), "tags": list(tags), "agents": list(agents),
            "limit": limit, "cursor": cursor,
        }  # fmt: skip
        given = {name: value for name, value in filters.items() if value not in (None, [])}
        return await self._requests.fetch("replay:request", given, ReplayPage)

    async def all(
        self,
        from_: Instant | None = None,
        to: Instant | None = None,
        *,
        kinds: Iterable[str] = (),
        tags: Iterable[str] = (),
        agents: Iterable[str] = (),
    ) -> AsyncIterator[ActivityEvent]:
        """All events that match, page after page; waits when the hub says that this goes too fast."""
        filters = {"kinds": list(kinds), "tags": list(tags), "agents": list(agents)}
        cursor: str | None = None
        while True:
            try:
                page = await self.request(from_, to, **filters, limit=LARGEST_PAGE, cursor=cursor)
            except RateLimited as error:
                await asyncio.sleep(error.retry_after_ms / 1000)
                continue
            for event in page.events:
                yield event
            cursor = page.next_cursor
            if cursor is None:
                return


def iso(instant: Instant | None) -> str | None:
    if not isinstance(instant, datetime):
        return instant
    if instant.tzinfo is None:
        raise ValueError("a datetime needs a zone, such as datetime.now(UTC)")
    return instant.isoformat()
