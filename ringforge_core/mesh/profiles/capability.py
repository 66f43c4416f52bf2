"""The rules of profiles and moves."""

from __future__ import annotations

import asyncio

import msgspec

from ringforge_core.errors import Forbidden
from ringforge_core.identity.actor import Actor
from ringforge_core.identity.agent_events import TOPIC, AgentArrived, AgentDeparted, Profile, ProfileUpdated
from ringforge_core.identity.agent_rows import profile_of
from ringforge_core.identity.agents import get_agent, list_agents, move_agent, update_agent
from ringforge_core.identity.paging import cursor_after
from ringforge_core.identity.reach import may_change_fleet
from ringforge_core.mesh.past import REPLY_BYTES
from ringforge_core.mesh.profiles.messages import (
    GetProfile,
    ListProfiles,
    Migrate,
    Migrated,
    ProfileReply,
    Profiles,
    UpdateProfile,
)
from ringforge_core.plugin import AgentSession, Call, Capability, NoSettings, event
from ringforge_core.ports.event_bus import TopicKind


class ProfilesCapability(Capability[NoSettings]):
    name = "profiles"
    pushes = (ProfileUpdated, AgentDeparted, AgentArrived)
    topics = (TopicKind(TOPIC),)

    @event("agent:update_profile", idempotent=True)
    async def update(self, call: Call, request: UpdateProfile) -> ProfileUpdated:
        """Change what you show of yourself; the fleet is told."""
        agent = call.agent
        changed = await update_agent(
            self.hub.store, agent.tenant_id, agent.agent_id, request.patch(), actor=Actor.of(agent), once=call.once
        )
        return ProfileUpdated(**profile_of(changed))

    @event("agent:get_profile")
    async def show(self, call: Call, request: GetProfile) -> ProfileReply:
        """The profile of an agent of your fleet, connected or not."""
        agent = call.agent
        shown = await get_agent(
            self.hub.store, agent.tenant_id, request.agent_id or agent.agent_id, fleet_id=agent.fleet_id
        )
        return ProfileReply(**profile_of(shown))

    @event("agent:list_profiles")
    async def index(self, call: Call, request: ListProfiles) -> Profiles:
        """The profiles of your fleet's agents, connected or not."""
        agent = call.agent
        page = await list_agents(
            self.hub.store, agent.tenant_id, fleet_id=agent.fleet_id, cursor=request.cursor, limit=request.limit
        )
        profiles = _fitting([Profile(**profile_of(each)) for each in page.items])
        cursor = page.cursor
        if len(profiles) < len(page.items):
            last = page.items[len(profiles) - 1]
            cursor = cursor_after(last.inserted_at, last.id)
        return Profiles(agents=profiles, count=len(profiles), next_cursor=cursor)

    @event("agent:migrate", idempotent=True)
    async def migrate(self, call: Call, request: Migrate) -> Migrated:
        """Go to another fleet of your tenant: both are told, and your channels here are closed after the reply."""
        agent, store = call.agent, self.hub.store
        if not await may_change_fleet(store, agent):
            raise Forbidden(
                "Your API key is for one fleet only.",
                fix="Use a key for the whole tenant, or ask an admin to move the agent.",
            )
        moved = await move_agent(
            store, agent.tenant_id, agent.agent_id, request.fleet_id, actor=Actor.of(agent), once=call.once
        )
        await self._follow_after_reply(agent)
        fleet = moved.agent
        message = f"You are in fleet {fleet.fleet_name} now; join fleet:{fleet.fleet_id}."
        return Migrated(agent_id=agent.agent_id, fleet_id=fleet.fleet_id, message=message)

    async def _follow_after_reply(self, agent: AgentSession) -> None:
        """Close the channels that this node has of the agent; other nodes see the move in the store.

        Where the agent is now is asked anew: the reply may be the repeat of a move that others followed.
        """
        current = await get_agent(self.hub.store, agent.tenant_id, agent.agent_id)
        asyncio.get_running_loop().call_soon(self.hub.pushes.move_agent, agent.agent_id, current.fleet_id)


def _fitting(profiles: list[Profile]) -> list[Profile]:
    """The first ones that fit into one reply."""
    size = 0
    for count, profile in enumerate(profiles):
        size += len(msgspec.json.encode(profile))
        if size > REPLY_BYTES:
            return profiles[:count]
    return profiles
