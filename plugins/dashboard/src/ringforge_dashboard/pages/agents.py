"""The roster of the fleet, and one agent: what it is, what it does, and what can be done with it."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import quote

import msgspec
from litestar import Controller, get, post
from litestar.params import FromPath

from ringforge_core.errors import Conflict, InvalidPayload, Refused
from ringforge_core.plugin.records import AgentInfo, Page, PresentAgent
from ringforge_dashboard.desk import Answer, AtDesk, Desk
from ringforge_dashboard.live import Live, digest

CONNECTED = 1000
"""Agents that are connected, on one page: so many rows a browser still scrolls smoothly."""
LISTED = 200
"""The others on one page."""
STATES = ("online", "busy", "away", "offline")


class NameForm(msgspec.Struct):
    name: str = ""


class MoveForm(msgspec.Struct):
    fleet_id: str = ""


class KickForm(msgspec.Struct):
    block: str = ""


class Wanted(msgspec.Struct):
    """What of the roster is shown. `search` is a part of a name, an id or a capability."""

    search: str = ""
    state: str = ""
    offset: int = 0
    cursor: str = ""

    def __post_init__(self) -> None:
        self.search = self.search.strip()[:100]
        self.state = self.state if self.state in STATES else ""
        self.offset = max(0, self.offset)

    @property
    def filters(self) -> bool:
        return bool(self.search or self.state)

    @property
    def only_connected(self) -> bool:
        return self.offset > 0 or self.state not in ("", "offline")

    def shows(self, agent: PresentAgent) -> bool:
        """Whether it is one of those that are connected and wanted."""
        if self.cursor or (self.state and agent.state != self.state):
            return False
        searched = (agent.agent_id, agent.name or "", *agent.capabilities)
        return any(self.search.casefold() in text.casefold() for text in searched)


class AgentPages(Controller):
    path = "/agents"

    @get("/")
    async def index(self, desk: AtDesk) -> Answer:
        wanted = _wanted(desk)
        position = await desk.position()
        present = desk.administration.present(desk.tenant_id, desk.fleet.id)
        matching = [each for each in present if wanted.shows(each)]
        shown = matching[wanted.offset : wanted.offset + CONNECTED]
        known = Page[AgentInfo]([]) if wanted.only_connected else await desk.administration.agents(
            desk.tenant_id, fleet_id=desk.fleet.id, search=wanted.search, cursor=wanted.cursor or None, limit=LISTED
        )  # fmt: skip
        here = {each.agent_id for each in present}
        everybody = not wanted.filters and not wanted.offset
        return desk.page(
            "agents.html", title="Agents", live=Live(position, ("roster" if everybody else "rows",), digest(present)),
            wanted=wanted, states=STATES, present=shown, matching=len(matching), online=len(present),
            away=[agent for agent in known.items if agent.agent_id not in here], cursor=known.cursor,
            more=str(wanted.offset + CONNECTED) if len(matching) > wanted.offset + CONNECTED else "",
        )  # fmt: skip

    @get("/{agent_id:str}")
    async def show(self, desk: AtDesk, agent_id: FromPath[str]) -> Answer:
        return await _agent_page(desk, agent_id)

    @post("/{agent_id:str}/rename")
    async def rename(self, desk: AtDesk, agent_id: FromPath[str]) -> Answer:
        form = await desk.form(NameForm)
        try:
            await desk.administration.rename_agent(desk.operator, agent_id, form.name.strip())
        except Refused as error:
            return await _agent_page(desk, agent_id, error)
        return _back(desk, agent_id, "renamed")

    @post("/{agent_id:str}/kick")
    async def kick(self, desk: AtDesk, agent_id: FromPath[str]) -> Answer:
        block = (await desk.form(KickForm)).block == "yes"
        await desk.administration.kick_agent(desk.operator, agent_id, block=block)
        return _back(desk, agent_id, "blocked" if block else "kicked")

    @post("/{agent_id:str}/unblock")
    async def unblock(self, desk: AtDesk, agent_id: FromPath[str]) -> Answer:
        await desk.administration.unblock_agent(desk.operator, agent_id)
        return _back(desk, agent_id, "unblocked")

    @post("/{agent_id:str}/delete", opt={"role": "admin"})
    async def delete(self, desk: AtDesk, agent_id: FromPath[str]) -> Answer:
        await desk.administration.delete_agent(desk.operator, agent_id, once=await desk.once())
        return desk.go("/dashboard/agents", done="deleted")

    @post("/{agent_id:str}/move", opt={"role": "admin"})
    async def move(self, desk: AtDesk, agent_id: FromPath[str]) -> Answer:
        form = await desk.form(MoveForm)
        try:
            moved = await desk.administration.move_agent(desk.operator, agent_id, form.fleet_id, once=await desk.once())
        except Conflict as error:
            return await _agent_page(desk, agent_id, error)
        return _back(desk, agent_id, "moved", fleet=moved.fleet_id)


def _wanted(desk: Desk) -> Wanted:
    """Raises `InvalidPayload` for what no link of the page says."""
    given = {name: text for name in Wanted.__struct_fields__ if (text := desk.query.get(name))}
    try:
        return msgspec.convert(given, Wanted, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidPayload("There is no such page of agents.", fix="Begin with the first one.") from error


def _back(desk: Desk, agent_id: str, done: str, **query: str) -> Answer:
    return desk.go(f"/dashboard/agents/{quote(agent_id, safe='')}", done=done, **query)


async def _agent_page(desk: Desk, agent_id: str, error: Refused | None = None) -> Answer:
    position = await desk.position()
    detail = await desk.administration.agent(desk.tenant_id, agent_id)
    if detail.agent.fleet_id != desk.fleet.id:
        return desk.go_to_fleet(detail.agent.fleet_id)
    present = desk.administration.present(desk.tenant_id, desk.fleet.id)
    live = Live(position, (f"agent:{detail.agent.agent_id}",), digest(present))
    now = next((each for each in present if each.agent_id == detail.agent.agent_id), None)
    key = detail.public_key
    return desk.page(
        "agent.html", title=detail.agent.name or detail.agent.agent_id, live=live, error=error, detail=detail,
        agent=detail.agent, now=now,
        public_key=key and base64.b64encode(key).decode(), fingerprint=key and fingerprint(key),
    )  # fmt: skip


def fingerprint(public_key: bytes) -> str:
    """SHA-256 of the key's 32 bytes, in groups that people can compare."""
    digits = hashlib.sha256(public_key).hexdigest()
    return " ".join(digits[start : start + 4] for start in range(0, len(digits), 4))
