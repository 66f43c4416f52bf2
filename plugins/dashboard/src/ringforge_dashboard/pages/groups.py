"""The fleet's groups, and who is in them."""

from __future__ import annotations

from litestar import Controller, get
from litestar.params import FromPath

from ringforge_core.errors import NotFound
from ringforge_dashboard.desk import Answer, AtDesk

SHOWN = 100


class GroupPages(Controller):
    path = "/groups"

    @get("/")
    async def index(self, desk: AtDesk) -> Answer:
        status = "dissolved" if desk.query.get("status") == "dissolved" else "active"
        cursor = {"cursor": desk.query["cursor"]} if desk.query.get("cursor") else {}
        found = await desk.say("group:list", status=status, limit=SHOWN, **cursor)
        return desk.page(
            "groups.html", title="Groups", groups=found["groups"], showing=status, cursor=found.get("next_cursor")
        )

    @get("/{group_id:str}")
    async def show(self, desk: AtDesk, group_id: FromPath[str]) -> Answer:
        members = (await desk.say("group:members", group_id=group_id))["members"]
        group = None
        for status in ("active", "dissolved"):
            groups = (await desk.say("group:list", status=status, limit=500))["groups"]
            group = group or next((each for each in groups if each["group_id"] == group_id), None)
        if group is None:
            raise NotFound("There is no such group among the newest of this fleet.")
        return desk.page(
            "group.html", title=group["name"], group=group, members=members,
            names=await desk.agent_names([group["created_by"], *(each["agent_id"] for each in members)]),
        )  # fmt: skip
