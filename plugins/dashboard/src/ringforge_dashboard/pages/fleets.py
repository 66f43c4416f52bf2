"""The tenant's fleets: who is in them, and made, renamed and deleted by its admins."""

from __future__ import annotations

import msgspec
from litestar import Controller, get, post
from litestar.params import FromPath

from ringforge_core.errors import Conflict, NotFound
from ringforge_dashboard.desk import Answer, AtDesk, Desk
from ringforge_dashboard.wording import REFUSALS, Refusal

ADMIN = {"role": "admin"}
PATH = "/dashboard/fleets"


class NameForm(msgspec.Struct):
    name: str = ""


class FleetPages(Controller):
    path = "/fleets"

    @get("/", opt=ADMIN)
    async def index(self, desk: AtDesk) -> Answer:
        return await _fleets_page(desk)

    @post("/create", opt=ADMIN)
    async def create(self, desk: AtDesk) -> Answer:
        form = await desk.form(NameForm)
        try:
            await desk.administration.create_fleet(desk.operator, form.name.strip(), once=await desk.once())
        except REFUSALS as error:
            return await _fleets_page(desk, error, given=form.name)
        return desk.go(PATH, done="fleet-made")

    @post("/{fleet_id:str}/rename", opt=ADMIN)
    async def rename(self, desk: AtDesk, fleet_id: FromPath[str]) -> Answer:
        form = await desk.form(NameForm)
        try:
            await desk.administration.rename_fleet(desk.operator, fleet_id, form.name.strip())
        except NotFound:
            raise
        except REFUSALS as error:
            return await _fleets_page(desk, error)
        return desk.go(PATH, done="renamed")

    @post("/{fleet_id:str}/delete", opt=ADMIN)
    async def delete(self, desk: AtDesk, fleet_id: FromPath[str]) -> Answer:
        try:
            await desk.administration.delete_fleet(desk.operator, fleet_id, once=await desk.once())
        except Conflict as error:
            return await _fleets_page(desk, error)
        if fleet_id == desk.fleet.id:
            return desk.go_to(PATH, done="fleet-deleted")
        return desk.go(PATH, done="fleet-deleted")


async def _fleets_page(desk: Desk, error: Refusal | None = None, given: str = "") -> Answer:
    """Read anew: what was just done is in it."""
    fleets = await desk.administration.fleets(desk.tenant_id)
    online = {fleet.id: len(desk.administration.present(desk.tenant_id, fleet.id)) for fleet in fleets}
    usage = (await desk.administration.usage(desk.tenant_id)).usage["fleets"]
    return desk.page("fleets.html", title="Fleets", error=error, fleets_now=fleets, online=online, given=given, usage=usage)
