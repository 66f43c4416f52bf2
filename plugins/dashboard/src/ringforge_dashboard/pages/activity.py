"""What the fleet's agents tell: live, and from the past by kind, agent, tag and time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from litestar import Controller, get

from ringforge_core.errors import InvalidPayload
from ringforge_core.ports.event_bus import Event, ReplayFilter, Topic
from ringforge_dashboard.desk import Answer, AtDesk, Desk
from ringforge_dashboard.live import Live, digest
from ringforge_dashboard.rendering import payload_of

SHOWN = 100
SUGGESTED = 200
"""Names that the field for an agent offers; it takes any other, too."""
KINDS = (
    "task_started", "task_progress", "task_completed", "task_failed", "discovery", "question", "alert", "custom",
)  # fmt: skip


class Wanted(msgspec.Struct):
    """The filters of the page: `agent` is a name or an id; instants are UTC, as a browser's date field writes them."""

    kind: str = ""
    agent: str = ""
    tag: str = ""
    since: str = ""
    until: str = ""

    @property
    def anything(self) -> bool:
        return any(msgspec.structs.astuple(self))

    def filter(self, agent_id: str) -> ReplayFilter:
        """Raises `InvalidPayload` for what is no date."""
        return ReplayFilter(
            since=_instant(self.since), until=_instant(self.until), kinds=_one(self.kind), tags=_one(self.tag),
            agents=_one(agent_id), limit=SHOWN, newest=True,
        )  # fmt: skip


class ActivityPages(Controller):
    path = "/activity"

    @get("/")
    async def show(self, desk: AtDesk) -> Answer:
        wanted = msgspec.convert({name: desk.query.get(name, "") for name in Wanted.__struct_fields__}, Wanted)
        position = await desk.position()
        present = desk.administration.present(desk.tenant_id, desk.fleet.id)
        live = None if wanted.anything else Live(position, ("activity",), digest(present))
        data: dict[str, Any] = {"wanted": wanted, "kinds": KINDS, "known": [each.name for each in present[:SUGGESTED]]}
        try:
            agent_id = await find_agent(desk, wanted.agent) if wanted.agent else ""
            events = await read_past(desk, wanted.filter(agent_id))
        except InvalidPayload as error:
            return desk.refused("activity.html", error, title="Activity", activities=[], older=None, **data)
        older = (events[0].at - timedelta(microseconds=1)).isoformat() if len(events) == SHOWN else None
        return desk.page(
            "activity.html", title="Activity", live=live, activities=[payload_of(each) for each in reversed(events)],
            older=older, **data,
        )  # fmt: skip


async def read_past(desk: Desk, query: ReplayFilter) -> Sequence[Event]:
    """The fleet's activities, oldest first; the operator sees those for single agents, too."""
    past = await desk.dashboard.hub.replay(Topic(desk.tenant_id, desk.fleet.id, "activity"), query)
    return past.events


async def recent_activities(desk: Desk, *, limit: int) -> list[Mapping[str, Any]]:
    """Newest first."""
    events = await read_past(desk, ReplayFilter(limit=limit, newest=True))
    return [payload_of(event) for event in reversed(events)]


async def find_agent(desk: Desk, text: str) -> str:
    """The id of the agent of the fleet with this name or id. Raises `InvalidPayload` when there is none."""
    found = await desk.administration.agents(desk.tenant_id, fleet_id=desk.fleet.id, search=text)
    exact = [each for each in found.items if text in (each.agent_id, each.name)]
    agent = next(iter(exact or found.items), None)
    if agent is None or (not exact and len(found.items) > 1):
        which = "There is no agent" if agent is None else "There are several agents"
        raise InvalidPayload(f"{which} like {text[:40]}.", fix="Give its whole name or its id.", field="agent")
    return agent.agent_id


def _one(text: str) -> tuple[str, ...]:
    return (text,) if text else ()


def _instant(text: str) -> datetime | None:
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidPayload(f"{text[:40]} is no date.", fix="Write it as 2030-01-31T12:00.", field="since") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
