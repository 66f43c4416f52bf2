"""The tenant's API keys: made when that is confirmed, shown once, replaced, revoked."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

import msgspec
from litestar import Controller, get, post
from litestar.params import FromPath

from ringforge_core.errors import Refused
from ringforge_core.plugin import now
from ringforge_core.plugin.records import CreatedKey
from ringforge_dashboard.desk import Answer, AtDesk, Desk

KINDS = (("live", "live: for agents"), ("test", "test: for agents, not billed"), ("admin", "admin: for the REST API"))
EXPIRIES = ((0, "never"), (30, "in 30 days"), (90, "in 90 days"), (365, "in a year"))
GRACES = ((24, "for 24 hours more"), (168, "for 7 days more"), (1, "for an hour more"), (0, "no longer"))
ADMIN = {"role": "admin"}


class NewKeyForm(msgspec.Struct):
    kind: Literal["live", "test", "admin"] = "live"
    name: str = ""
    fleet_id: str = ""
    days: Annotated[int, msgspec.Meta(ge=0, le=3650)] = 0


class RotateForm(msgspec.Struct):
    grace_hours: int = 24


class KeyPages(Controller):
    path = "/keys"

    @get("/", opt=ADMIN)
    async def index(self, desk: AtDesk) -> Answer:
        return await _key_page(desk)

    @post("/create", opt=ADMIN)
    async def create(self, desk: AtDesk) -> Answer:
        """Answers with the key itself: it is in no address, and in no other page."""
        form = await desk.form(NewKeyForm)
        try:
            made = await desk.administration.create_key(
                desk.operator, kind=form.kind, name=form.name.strip() or None, fleet_id=form.fleet_id or None,
                expires_at=now() + timedelta(days=form.days) if form.days > 0 else None, once=await desk.once(),
            )  # fmt: skip
        except Refused as error:
            return await _key_page(desk, error=error)
        return await _key_page(desk, made=made)

    @post("/{key_id:str}/rotate", opt=ADMIN)
    async def rotate(self, desk: AtDesk, key_id: FromPath[str]) -> Answer:
        form = await desk.form(RotateForm)
        grace = timedelta(hours=max(0, min(form.grace_hours, 720)))
        rotated = await desk.administration.rotate_key(desk.operator, key_id, grace=grace, once=await desk.once())
        return await _key_page(desk, made=rotated.key)

    @post("/{key_id:str}/revoke", opt=ADMIN)
    async def revoke(self, desk: AtDesk, key_id: FromPath[str]) -> Answer:
        await desk.administration.revoke_key(desk.operator, key_id)
        return desk.go("/dashboard/keys", done="revoked")


async def _key_page(desk: Desk, *, made: CreatedKey | None = None, error: Refused | None = None) -> Answer:
    page = await desk.administration.keys(desk.tenant_id, cursor=desk.query.get("cursor"))
    return desk.page(
        "keys.html", title="Keys", error=error, keys=page.items, cursor=page.cursor,
        made=made, kinds=KINDS, expiries=EXPIRIES, graces=GRACES, now=now(),
        fleet_names={fleet.id: fleet.name for fleet in desk.fleets},
    )  # fmt: skip
