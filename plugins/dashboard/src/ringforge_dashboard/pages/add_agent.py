"""The way to a new agent: its name, a key made on confirm, how to connect in four languages, and there it is."""

from __future__ import annotations

import msgspec
from litestar import Controller, get, post

from ringforge_core.errors import InvalidPayload, Refused
from ringforge_dashboard.desk import Answer, AtDesk, Desk
from ringforge_dashboard.live import Live
from ringforge_dashboard.snippets import snippets

ADMIN = {"role": "admin"}
LONGEST_NAME = 100
PATH = "/dashboard/add-agent"


class AgentForm(msgspec.Struct):
    name: str = ""
    capabilities: str = ""

    def listed(self) -> list[str]:
        return [each for text in self.capabilities.split(",") if (each := text.strip())]


class AddAgentPages(Controller):
    path = "/add-agent"

    @get("/", opt=ADMIN)
    async def begin(self, desk: AtDesk) -> Answer:
        """Makes nothing."""
        return desk.page("add_agent.html", title="Add an agent", section=PATH, given=AgentForm())

    @post("/make", opt=ADMIN)
    async def make(self, desk: AtDesk) -> Answer:
        """Makes the key, and answers with how to use it."""
        form = await desk.form(AgentForm)
        form.name = form.name.strip()
        try:
            if not form.name or len(form.name) > LONGEST_NAME or not form.name.isprintable():
                raise InvalidPayload("An agent's name has 1 to 100 printable characters.", fix="", field="name")
            position = await desk.position()
            made = await desk.administration.create_key(
                desk.operator, kind="live", fleet_id=desk.fleet.id, name=f"agent {form.name}"[:LONGEST_NAME],
                once=await desk.once(),
            )  # fmt: skip
        except Refused as error:
            return desk.refused("add_agent.html", error, title="Add an agent", section=PATH, given=form)
        return desk.page(
            "connect_agent.html", title=f"Connect {form.name}", section=PATH, made=made, given=form,
            live=Live(position, (f"waits:{form.name}",)), snippets=snippets(_http_url(desk), form.name, form.listed()),
        )  # fmt: skip


def _http_url(desk: Desk) -> str:
    return desk.dashboard.hub.public_url or str(desk.request.base_url).rstrip("/")
