"""The rules of groups, as agents meet them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from ringforge_core.identity.actor import Actor
from ringforge_core.identity.ids import now
from ringforge_core.mesh.groups import announcements, conversation, membership
from ringforge_core.mesh.groups.arrival import Arrival, welcome_agents
from ringforge_core.mesh.groups.conversation import Post, letter_of, post_messages, read_addressed
from ringforge_core.mesh.groups.creation import Creation, create_groups
from ringforge_core.mesh.groups.departure import leave_all_groups
from ringforge_core.mesh.groups.messages import (
    CreateGroup,
    DissolvedGroup,
    DissolveGroup,
    GroupList,
    GroupMessageSent,
    GroupReply,
    JoinedGroup,
    JoinGroup,
    LeaveGroup,
    LeftGroup,
    ListGroups,
    ListMembers,
    ListMyGroups,
    Members,
    RoleSet,
    SendGroupMessage,
    SetRole,
)
from ringforge_core.mesh.groups.pushes import (
    Created,
    Dissolved,
    GroupMessage,
    Invited,
    MemberJoined,
    MemberLeft,
    RoleChanged,
)
from ringforge_core.mesh.groups.queries import read_groups, read_groups_of_agent, read_members
from ringforge_core.mesh.groups.rules import RESULT_BYTES, check_size, parse_rules
from ringforge_core.mesh.groups.settings import GroupsSettings
from ringforge_core.mesh.groups.sweeper import GroupSweeper
from ringforge_core.mesh.inbox import InboxCapability, inbox_of
from ringforge_core.plugin import AgentSession, Call, Capability, Hub, Member, event
from ringforge_core.ports.event_bus import Event, TopicKind
from ringforge_core.ports.store import Departure, Transaction


class GroupsCapability(Capability[GroupsSettings]):
    name = "groups"
    settings_type = GroupsSettings
    pushes = (Created, MemberJoined, MemberLeft, RoleChanged, Dissolved, Invited, GroupMessage)
    topics = (TopicKind(announcements.TOPIC, partitions=3), TopicKind(conversation.TOPIC, partitions=3))
    migrations = "ringforge_core.mesh.groups.migrations"

    def __init__(self, hub: Hub, settings: GroupsSettings) -> None:
        super().__init__(hub, settings)
        self._sweeper = GroupSweeper(hub.store, settings)
        self._inbox: InboxCapability

    async def start(self) -> None:
        self._inbox = inbox_of(self.hub)
        await self._sweeper.start()

    async def stop(self) -> None:
        await self._sweeper.stop()

    def heard(self, event: Event) -> None:
        if event.topic == conversation.TOPIC:
            self._inbox.heard_of(event)

    def recipients(self, event: Event) -> Iterable[str] | None:
        """Of messages nobody: the inbox pushes them, and keeps them until they are delivered."""
        return () if event.topic == conversation.TOPIC else super().recipients(event)

    @staticmethod
    def see_off(tx: Transaction, departures: Sequence[Departure]) -> None:
        leave_all_groups(tx, departures)

    async def on_join(self, member: Member, fields: Any) -> None:
        agent = member.agent
        arrival = Arrival(tenant_id=agent.tenant_id, fleet_id=agent.fleet_id, agent_id=agent.agent_id, at=now())
        await self.hub.store.apply(welcome_agents, arrival)

    @event("group:create", idempotent=True)
    async def create(self, call: Call, request: CreateGroup) -> GroupReply:
        """Make a group; you own it, and whom you invite is a member."""
        agent = call.agent
        creation = Creation(
            tenant_id=agent.tenant_id,
            fleet_id=agent.fleet_id,
            actor=Actor.of(agent),
            name=request.name,
            type=request.type,
            capabilities=request.capabilities,
            settings=request.settings,
            rules=parse_rules(request.settings),
            invite=request.invite,
            at=now(),
        )
        return await self.hub.store.apply(create_groups, creation, once=call.once)

    @event("group:join", idempotent=True)
    async def join(self, call: Call, request: JoinGroup) -> JoinedGroup:
        """Become a member; nothing changes when you are one."""
        return await self.hub.store.apply(membership.join_groups, _of_agent(call.agent, request.group_id), once=call.once)

    @event("group:leave", idempotent=True)
    async def leave(self, call: Call, request: LeaveGroup) -> LeftGroup:
        """Be a member no more. The last owner's role goes to another member; with the last member the group dissolves."""
        return await self.hub.store.apply(membership.leave_groups, _of_agent(call.agent, request.group_id), once=call.once)

    @event("group:set_role", idempotent=True)
    async def set_role(self, call: Call, request: SetRole) -> RoleSet:
        """Give a member a role; for owners."""
        wanted = _of_agent(call.agent, request.group_id)
        change = membership.RoleChange(**msgspec.structs.asdict(wanted), agent_id=request.agent_id, role=request.role)
        return await self.hub.store.apply(membership.set_roles, change, once=call.once)

    @event("group:dissolve", idempotent=True)
    async def dissolve(self, call: Call, request: DissolveGroup) -> DissolvedGroup:
        """End the group, with the result of its work; for owners. Its name is free again."""
        check_size("result", request.result, RESULT_BYTES)
        wanted = _of_agent(call.agent, request.group_id)
        dissolution = membership.Dissolution(**msgspec.structs.asdict(wanted), result=request.result)
        return await self.hub.store.apply(membership.dissolve_groups, dissolution, once=call.once)

    @event("group:message", counts="messages_today", rate="100/minute", idempotent=True)
    async def message(self, call: Call, request: SendGroupMessage) -> GroupMessageSent:
        """Write to the members, yourself included; those who are away get it when they join."""
        agent = call.agent
        group = await self.hub.store.read(
            lambda connection: read_addressed(connection, agent.tenant_id, agent.fleet_id, request.group_id)
        )
        if group is None:
            raise membership.no_such_group()
        letter = letter_of(agent, group, request.message, self.settings)
        with self._inbox.parcel(letter, group.members) as parcel:
            post = Post(group, agent.agent_id, parcel)
            sent = await self.hub.store.apply(post_messages, post, once=call.once, charges=call.charges)
            if isinstance(sent, GroupMessageSent):  # else it is a repeat, and was delivered the first time
                await self._inbox.deliver(parcel, sent.refused or {})
        return sent

    @event("group:list")
    async def list(self, call: Call, request: ListGroups) -> GroupList:
        """The fleet's groups, newest first."""
        agent = call.agent
        return await self.hub.store.read(
            lambda connection: read_groups(connection, agent.tenant_id, agent.fleet_id, request)
        )

    @event("group:members")
    async def members(self, call: Call, request: ListMembers) -> Members:
        """Who is in a group; of a dissolved one, who was in it at its end."""
        agent = call.agent
        found = await self.hub.store.read(
            lambda connection: read_members(connection, agent.tenant_id, agent.fleet_id, request.group_id)
        )
        if found is None:
            raise membership.no_such_group()
        return found

    @event("group:my_groups")
    async def my_groups(self, call: Call, request: ListMyGroups) -> GroupList:
        """The active groups that you are in, newest first."""
        agent = call.agent
        return await self.hub.store.read(
            lambda connection: read_groups_of_agent(connection, agent.tenant_id, agent.fleet_id, agent.agent_id, request)
        )


def _of_agent(agent: AgentSession, group_id: str) -> membership.OfAgent:
    return membership.OfAgent(
        tenant_id=agent.tenant_id, fleet_id=agent.fleet_id, group_id=group_id, actor=Actor.of(agent), at=now()
    )
