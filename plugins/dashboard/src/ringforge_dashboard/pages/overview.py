"""What is going on in the fleet, and what needs attention."""

from __future__ import annotations

from litestar import Controller, get

from ringforge_core.plugin.records import Concern, Usage, Used
from ringforge_dashboard.chart import draw
from ringforge_dashboard.desk import Answer, AtDesk
from ringforge_dashboard.live import Live, digest
from ringforge_dashboard.pages.activity import recent_activities
from ringforge_dashboard.wording import RESOURCES

RECENT = 20
NEARLY = 0.8
"""The part of a quota from which on it needs attention."""
MESSAGES_WAITING = "messages_waiting"
"""The concern of the capability inbox, seen to at the messages of its agent."""


class OverviewPages(Controller):
    path = "/"

    @get("/")
    async def show(self, desk: AtDesk) -> Answer:
        position = await desk.position()
        present = desk.administration.present(desk.tenant_id, desk.fleet.id)
        usage = await desk.administration.usage(desk.tenant_id)
        pace = await desk.administration.pace(desk.tenant_id, desk.fleet.id)
        return desk.page(
            "overview.html", title="Overview", live=Live(position, ("activity", "pace"), digest(present)), present=present,
            usage=usage, activities=await recent_activities(desk, limit=RECENT), nearly_used=nearly_used(usage),
            attention=await desk.administration.attention(desk.tenant_id, desk.fleet.id), chart=draw(pace),
            resources=RESOURCES, way_to=way_to,
        )  # fmt: skip


def nearly_used(usage: Usage) -> dict[str, Used]:
    return {
        resource: used
        for resource, used in usage.usage.items()
        if isinstance(used.limit, int) and used.used >= NEARLY * used.limit > 0
    }


def way_to(concern: Concern) -> str | None:
    """The page where people see to it."""
    if concern.path is not None or concern.agent_id is None:
        return concern.path
    return f"/dashboard/{'messages' if concern.kind == MESSAGES_WAITING else 'agents'}/{concern.agent_id}"
