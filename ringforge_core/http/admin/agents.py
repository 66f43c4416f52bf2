"""The tenant's agents, connected or not."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Controller, delete, get, post, put, route
from litestar.enums import HttpMethod
from litestar.exceptions import ValidationException
from litestar.params import JSONBody, QueryParameter
from msgspec import UNSET, Meta, UnsetType

from ringforge_core.http.admin.call import MOST, AdminCall, Call, Cursor, Id, Limit, Repeatable
from ringforge_core.http.admin.refusals import refusals
from ringforge_core.http.admin.texts import LINE, Capabilities, Name, ShortText
from ringforge_core.http.errors import on_unprocessable
from ringforge_core.identity import agents
from ringforge_core.identity.agents import AgentInfo, AgentPatch
from ringforge_core.identity.grants import grant_fleet_admin
from ringforge_core.plugin.presences import Presences
from ringforge_core.plugin.records import PresentAgent
from ringforge_core.ports.store import Once

OfFleet = Annotated[str | None, QueryParameter(max_length=100, pattern=LINE, description="Only agents of this fleet.")]


class AgentPresence(msgspec.Struct):
    """What the agent does now; `load` is 0 or more."""

    state: str
    task: str | None
    load: float
    connected_at: str


class AgentEntry(msgspec.Struct, kw_only=True):
    """`presence` is null while the agent is not connected; `fleet_admin` allows it to administer fleets."""

    id: str
    agent_id: Annotated[str, Meta(examples=["ag_4fKq81hXz0Bc"])]
    name: str | None
    framework: str | None
    capabilities: list[str]
    fleet_id: str
    fleet_name: str
    fleet_admin: bool
    last_seen_at: datetime | None
    inserted_at: datetime
    online: bool
    presence: AgentPresence | None


class AgentList(msgspec.Struct):
    """`count` is of this page; `next_cursor` is null on the last one."""

    agents: list[AgentEntry]
    count: int
    next_cursor: str | None


class ChangeAgent(msgspec.Struct):
    """What is not given stays."""

    name: Name | UnsetType = UNSET
    framework: ShortText | UnsetType | None = UNSET
    capabilities: Capabilities | UnsetType = UNSET


class DeletedAgent(msgspec.Struct):
    agent_id: str
    deleted: bool = True


class CleanedUp(msgspec.Struct):
    deleted: int
    message: str


class AgentController(Controller):
    path = "/agents"
    tags = ("Agents",)

    @get(summary="List the agents", response_description="A page of agents", responses=refusals())
    async def index(
        self,
        call: Call,
        fleet_id: OfFleet = None,
        limit: Limit = MOST,
        cursor: Cursor = None,
    ) -> AgentList:
        """Newest first, connected or not."""
        page = await agents.list_agents(call.store, call.tenant_id, fleet_id=fleet_id, cursor=cursor, limit=limit)
        return AgentList([entry(agent, call.presences) for agent in page.items], len(page.items), page.cursor)

    @get("/{agent_id:str}", summary="Show an agent", response_description="The agent", responses=refusals(404))
    async def show(self, call: Call, agent_id: Id) -> AgentEntry:
        """By its `agent_id` or its `id`."""
        return entry(await agents.get_agent(call.store, call.tenant_id, agent_id), call.presences)

    @route(
        "/{agent_id:str}",
        http_method=[HttpMethod.PATCH, HttpMethod.PUT],
        status_code=200,
        summary="Change an agent",
        response_description="The agent as it is now",
        responses=refusals(404, 409, 413, 422),
        exception_handlers={ValidationException: on_unprocessable},
    )
    async def change(self, call: Call, once: Repeatable, agent_id: Id, data: JSONBody[ChangeAgent]) -> AgentEntry:
        """Its fleet is told of the new profile."""
        patch = AgentPatch(name=data.name, framework=data.framework, capabilities=data.capabilities)
        changed = await agents.update_agent(call.store, call.tenant_id, agent_id, patch, actor=call.actor, once=once)
        return entry(changed, call.presences)

    @delete(
        "/{agent_id:str}",
        status_code=200,
        summary="Delete an agent",
        response_description="It is deleted",
        responses=refusals(404, 409),
    )
    async def remove(self, call: Call, once: Repeatable, agent_id: Id) -> DeletedAgent:
        """Its connections are closed within seconds, and its name is free again."""
        deleted = await agents.delete_agent(call.store, call.tenant_id, agent_id, actor=call.actor, once=once)
        return DeletedAgent(deleted)

    @put(
        "/{agent_id:str}/fleet-admin",
        status_code=200,
        summary="Let an agent administer fleets",
        response_description="The agent as it is now",
        responses=refusals(404, 409),
    )
    async def grant(self, call: Call, once: Repeatable, agent_id: Id) -> AgentEntry:
        """It may create, change and delete fleets over its WebSocket, and move itself and others."""
        return await _grant(call, once, agent_id, granted=True)

    @delete(
        "/{agent_id:str}/fleet-admin",
        status_code=200,
        summary="No longer let an agent administer fleets",
        response_description="The agent as it is now",
        responses=refusals(404, 409),
    )
    async def revoke(self, call: Call, once: Repeatable, agent_id: Id) -> AgentEntry:
        return await _grant(call, once, agent_id, granted=False)

    @post(
        "/cleanup",
        status_code=200,
        summary="Delete ghost agents",
        response_description="How many were deleted",
        responses=refusals(409),
    )
    async def clean_up(self, call: Call, once: Repeatable) -> CleanedUp:
        """Those without a name that registered over a minute ago and never joined a fleet."""
        deleted = await agents.delete_ghost_agents(call.store, call.tenant_id, actor=call.actor, once=once)
        return CleanedUp(deleted, f"{deleted} nameless agents that never joined a fleet were deleted.")


def entry(agent: AgentInfo, presences: Presences) -> AgentEntry:
    presence = presences.presence_of(agent.fleet_id, agent.agent_id)
    shown = {name: getattr(agent, name) for name in AgentEntry.__struct_fields__ if name not in ("online", "presence")}
    return AgentEntry(**shown, online=presence is not None, presence=_doing(presence) if presence else None)


def _doing(presence: PresentAgent) -> AgentPresence:
    return AgentPresence(presence.state, presence.task, presence.load, presence.connected_at)


async def _grant(call: AdminCall, once: Once | None, agent_id: str, *, granted: bool) -> AgentEntry:
    await grant_fleet_admin(call.store, call.tenant_id, agent_id, granted=granted, actor=call.actor, once=once)
    return entry(await agents.get_agent(call.store, call.tenant_id, agent_id), call.presences)
