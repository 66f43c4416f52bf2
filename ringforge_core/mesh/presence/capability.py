"""The rules of presence."""

from __future__ import annotations

import asyncio
from typing import Any

from msgspec import UNSET, structs

from ringforge_core.mesh.presence.fleet import FleetPresence, Presence
from ringforge_core.mesh.presence.messages import (
    GetRoster,
    Joined,
    JoinPresence,
    Left,
    PresenceFields,
    PresenceUpdated,
    Roster,
    RosterEntry,
    StateChanged,
    UpdatePresence,
)
from ringforge_core.mesh.presence.settings import PresenceSettings
from ringforge_core.plugin import AgentSession, Call, Capability, Hub, Member, event, iso, now


class PresenceCapability(Capability[PresenceSettings]):
    name = "presence"
    settings_type = PresenceSettings
    pushes = (Joined, Left, StateChanged, Roster)
    join_type = JoinPresence

    def __init__(self, hub: Hub, settings: PresenceSettings) -> None:
        super().__init__(hub, settings)
        self._fleets: dict[str, FleetPresence] = {}

    async def stop(self) -> None:
        for fleet in self._fleets.values():
            for presence in fleet.agents.values():
                if presence.leaving is not None:
                    presence.leaving.cancel()

    async def on_join(self, member: Member, fields: Any) -> None:
        """Returns when the member has got the roster, so that what other capabilities push at a join comes after it."""
        fleet = self._fleets.get(member.agent.fleet_id)
        if fleet is None:
            window = self.settings.roster_window_seconds
            fleet = self._fleets[member.agent.fleet_id] = FleetPresence(member.agent.fleet_id, roster_window=window)
        presence = fleet.agents.get(member.agent.agent_id)
        if presence is None:
            presence = fleet.add(self._entry(member.agent, fields))
            self.hub.pushes.to_fleet(fleet.fleet_id, Joined(**structs.asdict(presence.entry)))
        else:
            self._rejoined(fleet, presence, member.agent, fields)
        presence.channels += 1
        await fleet.welcome.add(member)

    def on_leave(self, member: Member) -> None:
        fleet = self._fleets[member.agent.fleet_id]
        fleet.welcome.remove(member)
        presence = fleet.agents[member.agent.agent_id]
        presence.channels -= 1
        if presence.channels == 0:
            presence.leaving = asyncio.get_running_loop().call_later(
                self.settings.leave_after_seconds, self._left, fleet, presence, iso(now())
            )

    @event("presence:update")
    def update(self, call: Call, request: UpdatePresence) -> PresenceUpdated:
        """Say what you are doing now; the fleet is told."""
        fleet = self._fleets[call.agent.fleet_id]
        presence = fleet.agents[call.agent.agent_id]
        _apply(presence.entry, request)
        fleet.changed(presence)
        self.hub.pushes.to_fleet(fleet.fleet_id, _state_of(presence.entry))
        return PresenceUpdated()

    @event("presence:roster")
    def roster(self, call: Call, request: GetRoster) -> Roster:
        """The agents that are present."""
        return self._fleets[call.agent.fleet_id].roster()

    def presence_of(self, fleet_id: str, agent_id: str) -> RosterEntry | None:
        """What an agent that is present on this node does."""
        fleet = self._fleets.get(fleet_id)
        presence = fleet.agents.get(agent_id) if fleet else None
        return presence.entry if presence else None

    def present_count(self, fleet_id: str) -> int:
        """How many agents of the fleet are present on this node."""
        fleet = self._fleets.get(fleet_id)
        return len(fleet.agents) if fleet else 0

    def _entry(self, agent: AgentSession, fields: JoinPresence) -> RosterEntry:
        entry = RosterEntry(
            agent_id=agent.agent_id,
            name=agent.name,
            framework=agent.framework,
            model=None,
            capabilities=list(agent.capabilities),
            state="online",
            task=None,
            load=0.0,
            connected_at=iso(now()),
            node=self.hub.node,
            region=self.settings.region,
        )
        _apply(entry, fields)
        return entry

    def _rejoined(self, fleet: FleetPresence, presence: Presence, agent: AgentSession, fields: JoinPresence) -> None:
        """One more channel, or a reconnect: the fleet hears of it only when it changes what the agent does."""
        if presence.leaving is not None:
            presence.leaving.cancel()
            presence.leaving = None
        before = _state_of(presence.entry)
        presence.entry.name = agent.name
        _apply(presence.entry, fields)
        fleet.changed(presence)
        after = _state_of(presence.entry)
        if after != before:
            self.hub.pushes.to_fleet(fleet.fleet_id, after)

    def _left(self, fleet: FleetPresence, presence: Presence, last_seen_at: str) -> None:
        entry = presence.entry
        fleet.remove(entry.agent_id)
        if not fleet.agents:
            del self._fleets[fleet.fleet_id]
        self.hub.pushes.to_fleet(fleet.fleet_id, Left(agent_id=entry.agent_id, name=entry.name, last_seen_at=last_seen_at))


def _apply(entry: RosterEntry, fields: PresenceFields) -> None:
    for name in ("state", "task", "load", "model", "framework", "capabilities"):
        value = getattr(fields, name, UNSET)
        if value is not UNSET:
            setattr(entry, name, value)


def _state_of(entry: RosterEntry) -> StateChanged:
    return StateChanged(
        agent_id=entry.agent_id,
        name=entry.name,
        state=entry.state,
        task=entry.task,
        load=entry.load,
        model=entry.model,
    )
