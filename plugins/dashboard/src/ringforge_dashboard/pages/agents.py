"""The roster of the fleet, and one agent: what it is, what it does, and what can be done with it."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import quote

import msgspec
from litestar import Controller, get, post
from litestar.params import FromPath

from ringforge_core.errors import Refused
from ringforge_dashboard.desk import Answer, AtDesk, Desk
from ringforge_dashboard.live import Live, digest

LISTED = 200
"""Agents that are not connected, on one page."""


class NameForm(msgspec.Struct):
    name: str = ""


class KickForm(msgspec.Struct):
    block: str = ""


class AgentPages(Controller):
    path = "/agents"

    @get("/")
    async def index(self, desk: AtDesk) -> Answer:
        position = await desk.position()
        present = desk.administration.present(desk.tenant_id, desk.fleet.id)
        known = await desk.administration.agents(
            desk.tenant_id, fleet_id=desk.fleet.id, cursor=desk.query.get("cursor"), limit=LISTED
        )
        here = {each.agent_id for each in present}
        return desk.page(
            "agents.html", title="Agents", live=Live(position, ("roster",), digest(present)), present=present,
            away=[agent for agent in known.items if agent.agent_id not in here], cursor=known.cursor,
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
        await desk.administration.delete_agent(desk.operator, agent_id)
        return desk.go("/dashboard/agents", done="deleted")


def _back(desk: Desk, agent_id: str, done: str) -> Answer:
    return desk.go(f"/dashboard/agents/{quote(agent_id, safe='')}", done=done)


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
        "agent.html", title=detail.agent.name or detail.agent.agent_id, live=live, error=error,
        status=200 if error is None else 400, detail=detail, agent=detail.agent, now=now,
        public_key=key and base64.b64encode(key).decode(), fingerprint=key and fingerprint(key),
    )  # fmt: skip


def fingerprint(public_key: bytes) -> str:
    """SHA-256 of the key's 32 bytes, in groups that people can compare."""
    digits = hashlib.sha256(public_key).hexdigest()
    return " ".join(digits[start : start + 4] for start in range(0, len(digits), 4))
