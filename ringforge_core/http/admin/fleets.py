"""The tenant's fleets."""

from __future__ import annotations

from datetime import datetime
from functools import partial

import msgspec
import sqlalchemy as sa
from litestar import Controller, delete, get, post, route
from litestar.enums import HttpMethod
from litestar.params import JSONBody
from msgspec import UNSET, UnsetType

from ringforge_core.errors import Conflict
from ringforge_core.http.admin.call import MOST, AdminCall, Call, Cursor, Id, Limit, Repeatable
from ringforge_core.http.admin.refusals import refusals
from ringforge_core.http.admin.texts import Description, Name
from ringforge_core.identity import fleets
from ringforge_core.identity.agents import AgentInfo, list_agents, move_agent
from ringforge_core.identity.fleets import CountedFleet, Fleet
from ringforge_core.mesh.groups.squads import SquadOverview, read_squads, squads_of_agents


class FleetList(msgspec.Struct):
    """`count` is of this page; `next_cursor` is null on the last one."""

    fleets: list[CountedFleet]
    count: int
    next_cursor: str | None


class FleetMember(msgspec.Struct):
    """An agent of the fleet, connected or not; `squad_id` is the squad that it joined last."""

    agent_id: str
    name: str | None
    fleet_id: str
    squad_id: str | None
    framework: str | None
    capabilities: list[str]
    last_seen_at: datetime | None


class FleetOverview(CountedFleet, kw_only=True, frozen=True):
    """A fleet with its newest agents, at most 200; `GET /api/v1/agents?fleet_id=…` lists them all."""

    connected_agents: int
    agents: list[FleetMember]
    squads: list[SquadOverview]


class CreateFleet(msgspec.Struct):
    name: Name
    description: Description | None = None


class ChangeFleet(msgspec.Struct):
    """What is not given stays; a null empties the description."""

    name: Name | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET


class DeletedFleet(msgspec.Struct):
    id: str
    deleted: bool = True


class Placement(msgspec.Struct):
    """Where an agent is now."""

    agent_id: str
    fleet_id: str
    squad_id: str | None
    message: str


class FleetController(Controller):
    path = "/fleets"
    tags = ("Fleets",)

    @get(summary="List the fleets", response_description="A page of fleets", responses=refusals())
    async def index(self, call: Call, limit: Limit = MOST, cursor: Cursor = None) -> FleetList:
        """Newest first."""
        page = await fleets.list_fleets(call.store, call.tenant_id, cursor=cursor, limit=limit)
        return FleetList(page.items, len(page.items), page.cursor)

    @post(summary="Create a fleet", response_description="The new fleet", responses=refusals(409, 413))
    async def create(self, call: Call, once: Repeatable, data: JSONBody[CreateFleet]) -> Fleet:
        """Names are unique in the tenant. `quota_exceeded` when the plan has no more fleets."""
        return await fleets.create_fleet(
            call.store, call.tenant_id, name=data.name, description=data.description, actor=call.actor, once=once
        )

    @get(
        "/{fleet_id:str}",
        summary="Show a fleet",
        response_description="The fleet with its agents and squads",
        responses=refusals(404),
    )
    async def show(self, call: Call, fleet_id: Id) -> FleetOverview:
        fleet = await fleets.get_fleet(call.store, call.tenant_id, fleet_id)
        page = await list_agents(call.store, call.tenant_id, fleet_id=fleet_id, limit=MOST)
        squad_of, squads = await call.store.read(partial(_squads, call, fleet_id)) if call.has_squads else ({}, [])
        return FleetOverview(
            **msgspec.structs.asdict(fleet),
            connected_agents=call.presences.present_count(fleet_id),
            agents=[_member(agent, squad_of.get(agent.agent_id)) for agent in page.items],
            squads=squads,
        )

    @route(
        "/{fleet_id:str}",
        http_method=[HttpMethod.PATCH, HttpMethod.PUT],
        status_code=200,
        summary="Change a fleet",
        response_description="The fleet as it is now",
        responses=refusals(404, 409, 413),
    )
    async def change(self, call: Call, once: Repeatable, fleet_id: Id, data: JSONBody[ChangeFleet]) -> Fleet:
        return await fleets.update_fleet(
            call.store, call.tenant_id, fleet_id, name=data.name, description=data.description,
            actor=call.actor, once=once,
        )  # fmt: skip

    @delete(
        "/{fleet_id:str}",
        status_code=200,
        summary="Delete a fleet",
        response_description="It is deleted",
        responses=refusals(404, 409),
    )
    async def remove(self, call: Call, once: Repeatable, fleet_id: Id) -> DeletedFleet:
        """Only a fleet without agents, and never the last one. Its keys end with it."""
        try:
            deleted = await fleets.delete_fleet(call.store, call.tenant_id, fleet_id, actor=call.actor, once=once)
        except Conflict as error:
            raise Conflict(error.message, fix=error.fix, because=error.reason) from error
        return DeletedFleet(deleted.id)

    @post(
        "/{fleet_id:str}/agents/{agent_id:str}",
        status_code=200,
        summary="Move an agent into a fleet",
        response_description="Where the agent is now",
        tags=["Agents"],
        responses=refusals(404, 409),
    )
    async def move(self, call: Call, once: Repeatable, fleet_id: Id, agent_id: Id) -> Placement:
        """Its connections are closed within seconds; it finds its new fleet when it connects again."""
        moved = await move_agent(call.store, call.tenant_id, agent_id, fleet_id, actor=call.actor, once=once)
        return Placement(moved.agent.agent_id, moved.agent.fleet_id, None, f"Moved to {moved.agent.fleet_name}.")


def _member(agent: AgentInfo, squad_id: str | None) -> FleetMember:
    return FleetMember(
        agent.agent_id, agent.name, agent.fleet_id, squad_id, agent.framework, agent.capabilities, agent.last_seen_at
    )


def _squads(call: AdminCall, fleet_id: str, connection: sa.Connection) -> tuple[dict[str, str], list[SquadOverview]]:
    """The squad of each agent that is in one, and all squads, as of one moment."""
    return squads_of_agents(connection, call.tenant_id, fleet_id), read_squads(connection, call.tenant_id, fleet_id)
