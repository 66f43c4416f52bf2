"""Who is in the fleet, and what they are doing."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from ringforge.errors import RingforgeError
from ringforge.feed import Feed
from ringforge.log import RawPush
from ringforge.requests import Requests
from ringforge.roster import Changes, RosterEntry, State


class _Roster(msgspec.Struct, frozen=True):
    agents: list[RosterEntry]
    total: int | None = None
    """How many there are, when that is more than fits into a message."""


class _Left(msgspec.Struct, frozen=True):
    agent_id: str


class Presence:
    """Tells the fleet what this agent does, and keeps the roster of the fleet. Iterate over it for the changes."""

    def __init__(self, requests: Requests, feed: Feed, own: dict[str, Any]) -> None:
        self.own = own
        """What this agent last said about itself; it says the same again when it reconnects."""
        self._requests = requests
        self._feed = feed
        self._agents: dict[str, RosterEntry] = {}
        self._changes: dict[Changes, None] = {}
        feed.watchers.append(self._on_push)
        feed.end_watchers.append(self._end)

    @property
    def agents(self) -> Mapping[str, RosterEntry]:
        """The fleet's agents by id, this one included, kept up to date by the hub's pushes."""
        return MappingProxyType(self._agents)

    async def update(
        self,
        *,
        state: State | UnsetType = UNSET,
        task: str | UnsetType | None = UNSET,
        load: float | UnsetType = UNSET,
        model: str | UnsetType | None = UNSET,
        metadata: Mapping[str, Any] | UnsetType = UNSET,
    ) -> None:
        """Tell the fleet what changed; what is not given stays, `task=None` clears the task."""
        fields = {"state": state, "task": task, "load": load, "model": model, "metadata": metadata}
        given = {name: value for name, value in fields.items() if value is not UNSET}
        await self._requests.send("presence:update", given, dict[str, Any], idempotent=True)
        self.own.update(given)

    async def roster(self) -> list[RosterEntry]:
        """Ask the hub who is there, now."""
        return (await self._requests.fetch("presence:roster", {}, _Roster)).agents

    def changes(self) -> Changes:
        """The changes from now on. A slow reader gets several changes of one agent as one."""
        changes = Changes(self._agents, self._changes)
        if self._feed.ended:
            changes.end(self._feed.error)
        return changes

    def __aiter__(self) -> Changes:
        return self.changes()

    def _on_push(self, push: RawPush) -> None:
        match push.name:
            case "presence:roster":
                self._take_over(msgspec.json.decode(push.payload, type=_Roster))
            case "presence:joined":
                self._set(msgspec.json.decode(push.payload, type=RosterEntry))
            case "presence:left":
                self._remove(msgspec.json.decode(push.payload, type=_Left).agent_id)
            case "presence:state_changed":
                self._set(self._merged(msgspec.json.decode(push.payload, type=dict[str, Any])))

    def _end(self, error: RingforgeError | None) -> None:
        for changes in list(self._changes):
            changes.end(error)

    def _take_over(self, roster: _Roster) -> None:
        here = {entry.agent_id for entry in roster.agents}
        if roster.total is None or roster.total == len(here):
            for agent_id in self._agents.keys() - here:
                self._remove(agent_id)
        for entry in roster.agents:
            self._set(entry)

    def _merged(self, changed: dict[str, Any]) -> RosterEntry:
        """The entry with the fields that a state change names."""
        known = self._agents.get(changed.get("agent_id", ""))
        fields = {**(msgspec.structs.asdict(known) if known else {}), **changed}
        return msgspec.convert(fields, type=RosterEntry)

    def _set(self, entry: RosterEntry) -> None:
        before = self._agents.get(entry.agent_id)
        self._agents[entry.agent_id] = entry
        for changes in self._changes:
            changes.note(entry.agent_id, before)

    def _remove(self, agent_id: str) -> None:
        if (before := self._agents.pop(agent_id, None)) is not None:
            for changes in self._changes:
                changes.note(agent_id, before)
