"""The operator writes to agents, and reads what they write to `dashboard`."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec
from litestar import Controller, get, post
from litestar.params import FromPath

from ringforge_core.errors import InvalidPayload, Refused
from ringforge_core.plugin.administration import DASHBOARD
from ringforge_core.ports.event_bus import ReplayFilter, Topic
from ringforge_dashboard.desk import Answer, AtDesk, Desk
from ringforge_dashboard.live import Live, digest
from ringforge_dashboard.rendering import payload_of
from ringforge_dashboard.wording import REFUSALS, Refusal

SHOWN = 100
RECEIPTS = 500
PARTNERS = 50
"""Agents in the list beside a conversation; the others are searched for."""
WHY_NOT = {"queue_full": "Too many messages wait for it already.", "not_found": "There is no such agent in this fleet."}


class MessageForm(msgspec.Struct):
    text: str = ""


class MessagePages(Controller):
    path = "/messages"

    @get("/")
    async def index(self, desk: AtDesk) -> Answer:
        return desk.page("messages.html", title="Messages", **await _partners(desk), partner=None)

    @get("/{agent_id:str}")
    async def show(self, desk: AtDesk, agent_id: FromPath[str]) -> Answer:
        return await _conversation(desk, agent_id)

    @post("/{agent_id:str}/send")
    async def send(self, desk: AtDesk, agent_id: FromPath[str]) -> Answer:
        form = await desk.form(MessageForm)
        await desk.administration.agent(desk.tenant_id, agent_id)
        try:
            if not form.text.strip():
                raise InvalidPayload("There is nothing to send.", fix="Write a message first.", field="text")
            sent = await desk.say("direct:send", to=agent_id, message={"type": "text", "text": form.text})
            if sent["status"] == "failed":
                reason = sent["reason"]
                raise Refused("The message was not taken.", reason=reason, fix=WHY_NOT.get(reason, ""))
        except REFUSALS as error:
            return await _conversation(desk, agent_id, error, form.text)
        return desk.go(f"/dashboard/messages/{quote(agent_id, safe='')}")


async def _conversation(desk: Desk, agent_id: str, error: Refusal | None = None, text: str = "") -> Answer:
    detail = await desk.administration.agent(desk.tenant_id, agent_id)
    if detail.agent.fleet_id != desk.fleet.id:
        return desk.go_to_fleet(detail.agent.fleet_id)
    position = await desk.position()
    present = desk.administration.present(desk.tenant_id, desk.fleet.id)
    wanted: dict[str, Any] = {"with": detail.agent.agent_id, "limit": SHOWN}
    if before := desk.query.get("before"):
        wanted["before"] = before
    history = await desk.say("direct:history", **wanted)
    return desk.page(
        "messages.html", title="Messages", live=Live(position, ("chat", f"agent:{agent_id}"), digest(present)), error=error,
        **await _partners(desk), partner=detail.agent, text=text,
        now=next((each for each in present if each.agent_id == detail.agent.agent_id), None),
        messages=history["messages"], before=history["before"], statuses=await _statuses(desk),
    )  # fmt: skip


async def _partners(desk: Desk) -> dict[str, Any]:
    """Those to write to, by id, name and whether they are connected, who are first; or those who are searched for."""
    search = desk.query.get("search", "").strip()[:100]
    page = await desk.administration.agents(desk.tenant_id, fleet_id=desk.fleet.id, search=search, limit=PARTNERS)
    present = {each.agent_id: each.name for each in desk.administration.present(desk.tenant_id, desk.fleet.id)}
    known = {each.agent_id: each.name for each in page.items}
    if not search:
        known = dict(list(present.items())[:PARTNERS]) | known
    rows = [(agent_id, name or agent_id, agent_id in present) for agent_id, name in known.items()]
    rows.sort(key=lambda each: (not each[2], each[1].casefold()))
    hidden = len(rows) > PARTNERS or page.cursor is not None
    return {"agents": rows[:PARTNERS], "search": search, "hidden": hidden}


async def _statuses(desk: Desk) -> dict[str, str]:
    """What became of the operator's last messages, as the receipts say."""
    query = ReplayFilter(limit=RECEIPTS, newest=True)
    past = await desk.dashboard.hub.replay(Topic(desk.tenant_id, desk.fleet.id, "receipts"), query)
    own = [payload_of(event) for event in past.events if DASHBOARD in (event.audience.agents or ())]
    statuses = {each["message_id"]: each["status"] for each in own if "status" in each}
    return statuses | {each["message_id"]: "read" for each in own if "read_by" in each}
