"""Who may administer fleets over the socket, and what is answered."""

from __future__ import annotations

from msgspec import structs

from ringforge_core.errors import Forbidden
from ringforge_core.identity.actor import Actor
from ringforge_core.identity.fleets import CountedFleet, create_fleet, delete_fleet, list_fleets, update_fleet
from ringforge_core.identity.grants import is_fleet_admin
from ringforge_core.mesh.fleets.messages import (
    CreateFleet,
    DeleteFleet,
    FleetCreated,
    FleetDeleted,
    FleetList,
    FleetUpdated,
    ListedFleet,
    ListFleets,
    UpdateFleet,
)
from ringforge_core.plugin import AgentSession, Call, Capability, NoSettings, event, iso


class FleetsCapability(Capability[NoSettings]):
    name = "fleets"

    @event("fleet:create", idempotent=True)
    async def create(self, call: Call, request: CreateFleet) -> FleetCreated:
        """Make a fleet in your tenant; needs an admin's grant, as all of fleet:*."""
        tenant_id = await self._granted(call.agent)
        fleet = await create_fleet(
            self.hub.store, tenant_id, name=request.name, description=request.description,
            actor=Actor.of(call.agent), once=call.once,
        )  # fmt: skip
        return FleetCreated(id=fleet.id, name=fleet.name, description=fleet.description, tenant_id=fleet.tenant_id)

    @event("fleet:list")
    async def index(self, call: Call, request: ListFleets) -> FleetList:
        """The fleets of your tenant."""
        tenant_id = await self._granted(call.agent)
        page = await list_fleets(self.hub.store, tenant_id, cursor=request.cursor, limit=request.limit)
        return FleetList(fleets=[_listed(fleet) for fleet in page.items], count=len(page.items), next_cursor=page.cursor)

    @event("fleet:update", idempotent=True)
    async def update(self, call: Call, request: UpdateFleet) -> FleetUpdated:
        """Rename a fleet of your tenant, or describe it anew."""
        tenant_id = await self._granted(call.agent)
        fleet = await update_fleet(
            self.hub.store, tenant_id, request.fleet_id, name=request.name, description=request.description,
            actor=Actor.of(call.agent), once=call.once,
        )  # fmt: skip
        return FleetUpdated(id=fleet.id, name=fleet.name, description=fleet.description)

    @event("fleet:delete", idempotent=True)
    async def delete(self, call: Call, request: DeleteFleet) -> FleetDeleted:
        """Delete a fleet of your tenant that has no agents, with its keys and all that it kept."""
        tenant_id = await self._granted(call.agent)
        fleet = await delete_fleet(self.hub.store, tenant_id, request.fleet_id, actor=Actor.of(call.agent), once=call.once)
        return FleetDeleted(fleet_id=fleet.id)

    async def _granted(self, agent: AgentSession) -> str:
        """The tenant whose fleets the agent may administer. Asked anew each time: a grant can be taken back."""
        if not await is_fleet_admin(self.hub.store, agent.tenant_id, agent.agent_id):
            raise Forbidden(
                "Your agent may not administer fleets.",
                fix="Ask an admin to grant it: PUT /api/v1/agents/<id>/fleet-admin.",
            )
        return agent.tenant_id


def _listed(fleet: CountedFleet) -> ListedFleet:
    instants = {"inserted_at": iso(fleet.inserted_at), "updated_at": iso(fleet.updated_at)}
    return ListedFleet(**structs.asdict(fleet) | instants)
