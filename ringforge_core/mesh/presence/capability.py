"""The rules of presence."""

from __future__ import annotations

import asyncio
from collections.abc import Set
from typing import Any

from msgspec import structs

from ringforge_core.mesh.presence.entry import apply, new_entry, state_of
from ringforge_core.mesh.presence.fleet import FleetPresence, Presence
from ringforge_core.mesh.presence.messages import (
    GetRoster,
    Joined,
    JoinPresence,
    Left,
    PresenceUpdated,
    Roster,
    RosterEntry,
    StateChanged,
    UpdatePresence,
)
from ringforge_core.mesh.presence.settings import PresenceSettings
from ringforge_core.mesh.presence.sharing import Change, Entries, Everyone, Sharing
from ringforge_core.plugin import AgentSession, Call, Capability, Hub, Member, Push, event, iso, now


class PresenceCapability(Capability[PresenceSettings]):
    name = "presence"
    settings_type = PresenceSettings
    pushes = (Joined, Left, StateChanged, Roster)
    join_type = JoinPresence

    def __init__(self, hub: Hub, settings: PresenceSettings) -> None:
        super().__init__(hub, settings)
        self._fleets: dict[str, FleetPresence] = {}
        self._sharing = Sharing(hub.store, hub.node, self, self._entries_here)

    async def start(self) -> None:
        self.hub.nodes.on_gone(self._node_gone)
        await self._sharing.start(self.hub.nodes.others)

    async def stop(self) -> None:
        for fleet in self._fleets.values():
            for presence in fleet.agents.values():
                presence.stay()

    async def on_join(self, member: Member, fields: Any) -> None:
        """Returns when the member has got the roster, so that what other capabilities push at a join comes after it."""
        agent = member.agent
        fleet = self._fleet(agent.fleet_id)
        presence = fleet.agents.get(agent.agent_id)
        if presence is None:
            presence = fleet.add(new_entry(agent, fields, node=self.hub.node, region=self.settings.region))
            self._tell_members(fleet, Joined(**structs.asdict(presence.entry)))
        else:
            self._rejoined(fleet, presence, agent, fields)
        presence.channels += 1
        self._sharing.tell(fleet.fleet_id, presence.entry)
        await fleet.welcome.add(member)

    def on_leave(self, member: Member) -> None:
        fleet = self._fleets[member.agent.fleet_id]
        fleet.welcome.remove(member)
        presence = fleet.agents[member.agent.agent_id]
        presence.channels -= 1
        if presence.channels == 0:
            self._leave_soon(fleet, presence)

    @event("presence:update")
    def update(self, call: Call, request: UpdatePresence) -> PresenceUpdated:
        """Say what you are doing now; the fleet is told."""
        fleet = self._fleets[call.agent.fleet_id]
        presence = fleet.agents[call.agent.agent_id]
        apply(presence.entry, request)
        fleet.changed(presence)
        self._tell_members(fleet, state_of(presence.entry))
        self._sharing.tell(fleet.fleet_id, presence.entry)
        return PresenceUpdated()

    @event("presence:roster")
    def roster(self, call: Call, request: GetRoster) -> Roster:
        """The agents that are present."""
        return self._fleets[call.agent.fleet_id].roster()

    def presence_of(self, fleet_id: str, agent_id: str) -> RosterEntry | None:
        """What an agent that is present does."""
        fleet = self._fleets.get(fleet_id)
        presence = fleet.agents.get(agent_id) if fleet else None
        return presence.entry if presence else None

    def present_count(self, fleet_id: str) -> int:
        """How many agents of the fleet are present."""
        fleet = self._fleets.get(fleet_id)
        return len(fleet.agents) if fleet else 0

    def roster_of(self, fleet_id: str) -> list[RosterEntry]:
        """The agents of the fleet that are present, who came last first."""
        fleet = self._fleets.get(fleet_id)
        return [presence.entry for presence in reversed(fleet.agents.values())] if fleet else []

    def _rejoined(self, fleet: FleetPresence, presence: Presence, agent: AgentSession, fields: JoinPresence) -> None:
        """One more channel, or a reconnect: the fleet hears of it only when it changes what the agent does."""
        before = state_of(presence.entry)
        if presence.entry.node == self.hub.node:
            presence.entry.name = agent.name
            apply(presence.entry, fields)
        else:  # until now it was present at other hubs only
            presence.entry = structs.replace(
                new_entry(agent, fields, node=self.hub.node, region=self.settings.region),
                connected_at=presence.entry.connected_at,
            )
        presence.stay()
        self._changed(fleet, presence, before)

    def _leave_soon(self, fleet: FleetPresence, presence: Presence) -> None:
        presence.leaving = asyncio.get_running_loop().call_later(
            self.settings.leave_after_seconds, self._left, fleet, presence, iso(now())
        )

    def _left(self, fleet: FleetPresence, presence: Presence, last_seen_at: str) -> None:
        """It is not at this hub any more, and when it is at no other one, it has left."""
        presence.leaving = None
        entry = presence.entry
        if entry.node == self.hub.node:
            self._sharing.tell_left(fleet.fleet_id, entry.agent_id, last_seen_at)
        if presence.elsewhere:
            before = state_of(entry)
            presence.entry = next(reversed(presence.elsewhere.values()))
            return self._changed(fleet, presence, before)
        fleet.remove(entry.agent_id)
        if not fleet.agents:
            del self._fleets[fleet.fleet_id]
        return self._tell_members(fleet, Left(agent_id=entry.agent_id, name=entry.name, last_seen_at=last_seen_at))

    def _changed(self, fleet: FleetPresence, presence: Presence, before: StateChanged) -> None:
        fleet.changed(presence)
        after = state_of(presence.entry)
        if after != before:
            self._tell_members(fleet, after)

    # --- at other hubs ------------------------------------------------------------------------------------------

    def changed_elsewhere(self, change: Change) -> None:
        """Another hub tells of one of its agents."""
        if change.entry is not None:
            self._came_elsewhere(change.node, change.fleet_id, change.entry)
            return
        fleet = self._fleets.get(change.fleet_id)
        presence = fleet.agents.get(change.agent_id) if fleet else None
        if fleet is None or presence is None or presence.elsewhere.pop(change.node, None) is None:
            return
        if not presence.here:
            self._left(fleet, presence, change.last_seen_at)

    def all_elsewhere(self, everyone: Everyone) -> None:
        """Another hub tells of all its agents: who is not among them has left it."""
        named = {(fleet_id, entry.agent_id) for fleet_id, entries in everyone.entries.items() for entry in entries}
        for fleet_id, entries in everyone.entries.items():
            for entry in entries:
                self._came_elsewhere(everyone.node, fleet_id, entry)
        self._forget_node(everyone.node, except_for=named)

    def _came_elsewhere(self, node: str, fleet_id: str, entry: RosterEntry) -> None:
        fleet = self._fleet(fleet_id)
        presence = fleet.agents.get(entry.agent_id)
        if presence is None:
            presence = fleet.add(entry)
            presence.elsewhere[node] = entry
            self._tell_members(fleet, Joined(**structs.asdict(entry)))
            return
        presence.elsewhere[node] = entry
        if presence.channels == 0:
            before = state_of(presence.entry)
            if presence.leaving is not None and presence.entry.node == self.hub.node:
                return  # it left this hub a moment ago; when that is certain, what the other one tells is shown
            presence.stay()
            presence.entry = entry
            self._changed(fleet, presence, before)

    async def _node_gone(self, node: str) -> None:
        self._forget_node(node, except_for=frozenset())

    def _forget_node(self, node: str, *, except_for: Set[tuple[str, str]]) -> None:
        """Its agents may turn up at another hub in a moment, so the fleets hear of their leave a little later."""
        for fleet in self._fleets.values():
            for presence in fleet.agents.values():
                if (fleet.fleet_id, presence.entry.agent_id) in except_for:
                    continue
                was_there = presence.elsewhere.pop(node, None) is not None
                if was_there and not presence.elsewhere and not presence.here:
                    self._leave_soon(fleet, presence)

    def _fleet(self, fleet_id: str) -> FleetPresence:
        fleet = self._fleets.get(fleet_id)
        if fleet is None:
            window = self.settings.roster_window_seconds
            fleet = self._fleets[fleet_id] = FleetPresence(fleet_id, roster_window=window)
        return fleet

    def _entries_here(self) -> Entries:
        here: Entries = {}
        for fleet in self._fleets.values():
            for presence in fleet.agents.values():
                if presence.entry.node == self.hub.node:
                    here.setdefault(fleet.fleet_id, []).append(presence.entry)
        return here

    def _tell_members(self, fleet: FleetPresence, push: Push) -> None:
        """Those of this hub; the others tell theirs."""
        self.hub.pushes.to_fleet(fleet.fleet_id, push, everywhere=False)
