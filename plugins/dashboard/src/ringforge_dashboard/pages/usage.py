"""What the tenant uses of its plan."""

from __future__ import annotations

from litestar import Controller, get

from ringforge_dashboard.desk import Answer, AtDesk
from ringforge_dashboard.pages.overview import nearly_used
from ringforge_dashboard.wording import RESOURCES


class UsagePages(Controller):
    path = "/usage"

    @get("/")
    async def show(self, desk: AtDesk) -> Answer:
        usage = await desk.administration.usage(desk.tenant_id)
        return desk.page("usage.html", title="Usage", usage=usage, resources=RESOURCES, nearly_used=nearly_used(usage))
