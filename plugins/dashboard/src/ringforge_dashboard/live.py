"""The event stream of one tab: what happens in the fleet, as pieces of HTML with their `(epoch, seq)`.

A stream begins where the page was read, or where the tab's last stream ended (`Last-Event-ID`), so nothing is left out
and what comes twice has the same id. When that is not possible any more, or other agents are present than the page shows,
it says `reset`: the tab then reads its page anew.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec
from litestar import Request

from ringforge_core.errors import NotFound
from ringforge_core.plugin.administration import Position, Told, Watch
from ringforge_core.plugin.records import PresentAgent
from ringforge_core.plugin.web import people_of
from ringforge_core.ports.event_bus import Event
from ringforge_dashboard.fragments import Fragments, as_html

if TYPE_CHECKING:
    from ringforge_dashboard.capability import Dashboard
    from ringforge_dashboard.desk import Desk

BEAT_SECONDS = 4.0
"""How often a stream shows that it lives, and looks whether its person is still signed in, or their key still good."""
PACE_SECONDS = 1.0
"""How soon after something happened the picture of the last hour is drawn anew; when nothing does, every beat."""
GATHER_SECONDS = 0.1
"""How long happenings are gathered: a busy fleet makes ten updates a second, not ten thousand."""


class Live(msgspec.Struct, frozen=True):
    """What a page wants to hear of: from where on, of whom it showed as present, and what it shows of it."""

    after: Position
    shows: tuple[str, ...]
    """`roster`: rows of agents · `rows`: only of those that it has · `agent:<id>`: what one does · `waits:<name>`: that it
    comes · `activity`: the feed · `chat`: conversations · `pace`: the picture of the last hour."""
    present: str = ""


def digest(present: Iterable[PresentAgent]) -> str:
    """A short text that is another one when other agents are present, or do something else."""
    text = "\n".join(f"{each.agent_id} {each.name} {each.state} {each.task} {each.load}" for each in present)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def live_url(desk: Desk, live: Live) -> str:
    wanted = {"fleet": desk.fleet.id, "after": str(live.after), "shows": live.shows, "present": live.present}
    return f"/dashboard/live?{urlencode(wanted, doseq=True)}"


async def stream(dashboard: Dashboard, request: Request[Any, Any, Any], desk: Desk) -> AsyncIterator[bytes]:
    """Server-sent events, until the browser or the hub ends it, or the person is signed out."""
    administration, query = dashboard.hub.administration, request.query_params
    after = Position.parse(request.headers.get("last-event-id", "")) or Position.parse(query.get("after", ""))
    shows = query.getall("shows", [])
    fragments = Fragments(shows, desk)
    yield b"retry: 1000\n\n"
    async with administration.watch(desk.tenant_id, desk.fleet.id, after=after) as watch:
        present = administration.present(desk.tenant_id, desk.fleet.id)
        if watch.gap or after is None or query.get("present", "") not in ("", digest(present)):
            yield message("reset", "", await administration.position(desk.tenant_id, desk.fleet.id))
        else:
            yield message("ready", "", after)
        yield message("swap", as_html(fragments.connected(present)), None)
        pace = Pace(desk, fragments) if "pace" in shows else None
        looked = monotonic()
        while True:
            if pace is not None and (html := await pace.news()):
                yield message("swap", html, None)
            happenings = await _gathered(watch, BEAT_SECONDS if pace is None else pace.patience())
            if happenings is None:
                return
            if monotonic() - looked >= BEAT_SECONDS:
                yield b": still here\n\n"
                if not await _may_go_on(dashboard, request, desk):
                    return
                looked = monotonic()
            last = next((each for each in reversed(happenings) if isinstance(each, Event)), None)
            html = fragments.of(happenings)
            if html or last is not None:
                yield message("swap", html, Position(last.epoch, last.seq) if last is not None else None)
            if happenings and pace is not None:
                pace.is_old = True


class Pace:
    """The picture of the last hour in one stream. `is_old`: something has happened since it was drawn."""

    def __init__(self, desk: Desk, fragments: Fragments) -> None:
        self.is_old = True
        self._desk = desk
        self._fragments = fragments
        self._drawn = -BEAT_SECONDS
        self._shown = ""

    def patience(self) -> float:
        """How long to wait for something to happen before the picture is looked at again."""
        return PACE_SECONDS if self.is_old else BEAT_SECONDS

    async def news(self) -> str:
        """The picture, when it is time and it is another one by now; else nothing."""
        if monotonic() - self._drawn < self.patience():
            return ""
        self._drawn, self.is_old = monotonic(), False
        desk = self._desk
        try:
            pace = await desk.administration.pace(desk.tenant_id, desk.fleet.id)
        except NotFound:
            return ""  # the fleet was deleted: the next beat ends the stream
        shown, self._shown = self._shown, self._fragments.pace(pace)
        return "" if self._shown == shown else self._shown


def message(event: str, data: str, at: Position | None) -> bytes:
    """One server-sent event; without a position the browser keeps the one that it had."""
    lines = [f"id: {at}"] if at is not None else []
    lines.append(f"event: {event}")
    lines += [f"data: {line}" for line in data.splitlines() or [""]]
    return ("\n".join(lines) + "\n\n").encode()


async def _gathered(watch: Watch, seconds: float) -> Sequence[Event | Told] | None:
    """What happened, with what follows within a moment; empty when nothing did in time, None when the watch is over."""
    try:
        async with asyncio.timeout(seconds):
            first = await watch.next()
    except TimeoutError:
        return ()
    if first is None:
        return None
    await asyncio.sleep(GATHER_SECONDS)
    try:
        async with asyncio.timeout(0):
            more = await watch.next()
    except TimeoutError:
        return first
    return first if more is None else [*first, *more]


async def _may_go_on(dashboard: Dashboard, request: Request[Any, Any, Any], desk: Desk) -> bool:
    """Whether the person is still signed in, and the fleet still there."""
    person = await people_of(dashboard.hub).signed_in(request)
    if person is None or person.tenant_id != desk.tenant_id:
        return False
    try:
        await desk.administration.position(desk.tenant_id, desk.fleet.id)
    except NotFound:
        return False
    return True
