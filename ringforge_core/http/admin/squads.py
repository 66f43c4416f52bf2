"""The fleets' squads: the groups that agents make for themselves, seen and changed from outside."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Controller, delete, post
from litestar.params import JSONBody

from ringforge_core.http.admin.call import Call, Id, Repeatable
from ringforge_core.http.admin.fleets import Placement
from ringforge_core.http.admin.refusals import refusals
from ringforge_core.http.admin.texts import Capabilities, Name
from ringforge_core.mesh.groups.administration import assign_agent, create_squad, remove_agent
from ringforge_core.mesh.groups.squads import Squad


class CreateSquad(msgspec.Struct):
    """`settings` may hold `max_members` and `auto_join`; what else is in it is for the agents."""

    name: Name
    capabilities: Capabilities = []
    settings: dict[str, Any] = {}


class SquadController(Controller):
    tags = ("Squads",)

    @post(
        "/fleets/{fleet_id:str}/squads",
        summary="Create a squad",
        response_description="The new squad",
        responses=refusals(404, 409, 413),
    )
    async def create(self, call: Call, once: Repeatable, fleet_id: Id, data: JSONBody[CreateSquad]) -> Squad:
        """An empty one; the first agent that is put into it, or joins it, is its owner."""
        return await create_squad(
            call.store, call.tenant_id, fleet_id, name=data.name, capabilities=data.capabilities, settings=data.settings,
            actor=call.actor, once=once,
        )  # fmt: skip

    @post(
        "/squads/{squad_id:str}/agents/{agent_id:str}",
        status_code=200,
        summary="Put an agent into a squad",
        response_description="Where the agent is now",
        responses=refusals(404, 409),
    )
    async def assign(self, call: Call, once: Repeatable, squad_id: Id, agent_id: Id) -> Placement:
        """Both must be of one fleet: `fleet_mismatch` otherwise. Nothing changes when it is in already."""
        placed = await assign_agent(call.store, call.tenant_id, squad_id, agent_id, actor=call.actor, once=once)
        return Placement(placed.agent_id, placed.fleet_id, placed.squad_id, "The agent is in the squad.")

    @delete(
        "/squads/{squad_id:str}/agents/{agent_id:str}",
        status_code=200,
        summary="Take an agent out of a squad",
        response_description="Where the agent is now",
        responses=refusals(404, 409),
    )
    async def remove(self, call: Call, once: Repeatable, squad_id: Id, agent_id: Id) -> Placement:
        """When it was the last owner, another member becomes one. `squad_id` is the squad that it is in still."""
        placed = await remove_agent(call.store, call.tenant_id, squad_id, agent_id, actor=call.actor, once=once)
        return Placement(placed.agent_id, placed.fleet_id, placed.squad_id, "The agent is out of the squad.")
