"""What people may do in their tenant: the door of a capability that gives them pages for it.

Everything is scoped by a tenant: what is of another one is not found. Who may do what is for the caller to decide; the
operator goes into the audit log.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Any, Protocol

import msgspec

from ringforge_core.plugin.records import (
    AgentDetail,
    AgentInfo,
    Attention,
    AuditRecord,
    CountedFleet,
    CreatedKey,
    Fleet,
    KeyInfo,
    KeyKind,
    Minute,
    Page,
    PresentAgent,
    RotatedKey,
    Usage,
)
from ringforge_core.ports.event_bus import Event

DASHBOARD = "dashboard"
"""The agent id of the human operator."""


class Operator(msgspec.Struct, frozen=True, kw_only=True):
    """A person who acts in a tenant; agents know them as `dashboard`, by this name."""

    tenant_id: str
    user_id: str
    name: str
    address: str | None = None
    key_id: str | None = None
    """The admin key that they signed in with, when no person is known; `user_id` is the same then."""


class AdminKey(msgspec.Struct, frozen=True):
    key_id: str
    tenant_id: str


class Position(msgspec.Struct, frozen=True):
    """How far somebody has read a fleet's log."""

    epoch: str
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.seq}"

    @classmethod
    def parse(cls, text: str) -> Position | None:
        """From the text of one; None for anything else."""
        epoch, _, seq = text.rpartition(":")
        if not epoch or not (seq.isascii() and seq.isdecimal()) or len(seq) > 18:
            return None
        return cls(epoch, int(seq))


class Told(msgspec.Struct, frozen=True):
    """An ephemeral push to a whole fleet, such as `presence:left`; `body` is its JSON text."""

    push: str
    body: bytes


class Watch(Protocol):
    """What happens in a fleet, as it happens. The log's events come once and in order, for whomever they are."""

    gap: bool
    """What came after the position that was asked for cannot be had any more: look at everything anew."""

    async def next(self) -> Sequence[Event | Told] | None:
        """What has happened since the last call, at least one; None when the watch is over: the hub stops, or its owner
        was too slow. Then watch again, from the last event's position."""


class Administration(Protocol):
    """Instants are aware; every verb that names a thing raises `NotFound` for one that the tenant does not have.

    `once` makes a change happen once: a repeat by the same person under the same text gets the first result. It is a text
    that nobody can guess, drawn for one request: what it gives again may be a key.
    """

    async def fleets(self, tenant_id: str) -> Sequence[CountedFleet]:
        """All of the tenant's, the oldest first."""

    async def create_fleet(self, operator: Operator, name: str, *, once: str | None = None) -> Fleet:
        """Raises `InvalidPayload`, `Conflict` for a name that the tenant has already, and `LimitReached` (`fleets`)."""

    async def rename_fleet(self, operator: Operator, fleet_id: str, name: str) -> Fleet:
        """Raises `InvalidPayload`, and `Conflict` for a name that the tenant has already."""

    async def delete_fleet(self, operator: Operator, fleet_id: str, *, once: str | None = None) -> Fleet:
        """Its keys go with it, and what it kept. Raises `Conflict`: `has_agents` or `last_fleet`."""

    async def agents(
        self, tenant_id: str, *, fleet_id: str | None = None, search: str = "", cursor: str | None = None, limit: int = 200
    ) -> Page[AgentInfo]:
        """Newest first, connected or not; with `search` those that have it in their id, name or a capability, whatever
        its case. Raises `InvalidPayload` for a strange cursor."""

    async def agent_names(self, tenant_id: str, agent_ids: Collection[str]) -> Mapping[str, str]:
        """The names of those that the tenant has and that have one."""

    async def agent(self, tenant_id: str, agent_id: str) -> AgentDetail: ...

    async def move_agent(self, operator: Operator, agent_id: str, fleet_id: str, *, once: str | None = None) -> AgentInfo:
        """To another fleet of the tenant: its channels in the old one are closed within seconds. Raises `Conflict`
        (`same_fleet`, `name_conflict`)."""

    async def rename_agent(self, operator: Operator, agent_id: str, name: str) -> AgentInfo:
        """Its fleet hears of it. Raises `InvalidPayload` and `Conflict` (`name_conflict`)."""

    async def kick_agent(self, operator: Operator, agent_id: str, *, block: bool) -> None:
        """Close its connections with 1008; with `block` it does not come back until it is let in again."""

    async def unblock_agent(self, operator: Operator, agent_id: str) -> None: ...

    async def delete_agent(self, operator: Operator, agent_id: str, *, once: str | None = None) -> None: ...

    def present(self, tenant_id: str, fleet_id: str) -> Sequence[PresentAgent]:
        """The agents of the fleet that are connected, who came last first. The fleet must be known to be the tenant's."""

    async def keys(self, tenant_id: str, *, cursor: str | None = None, limit: int = 200) -> Page[KeyInfo]:
        """Those that are not revoked, newest first."""

    async def admin_key(self, api_key: str) -> AdminKey:
        """Whose admin key it is. Raises `Unauthenticated`, and `Forbidden` for a good key of an agent."""

    async def create_key(
        self, operator: Operator, *, kind: KeyKind, fleet_id: str | None = None, name: str | None = None,
        expires_at: datetime | None = None, once: str | None = None,
    ) -> CreatedKey: ...  # fmt: skip

    async def rotate_key(
        self, operator: Operator, key_id: str, *, grace: timedelta, once: str | None = None
    ) -> RotatedKey: ...

    async def revoke_key(self, operator: Operator, key_id: str) -> None: ...

    async def rename_tenant(self, operator: Operator, name: str) -> None:
        """Raises `InvalidPayload`."""

    async def usage(self, tenant_id: str) -> Usage: ...

    async def pace(self, tenant_id: str, fleet_id: str) -> Sequence[Minute]:
        """Each minute of the last hour, whichever hub saw it; the last one is the present minute, which is not over."""

    async def attention(self, tenant_id: str, fleet_id: str) -> Attention:
        """With what the capabilities tell, see `Capability.attention`."""

    async def audit(
        self, tenant_id: str, *, before_seq: int | None = None, action: str | None = None, limit: int = 50
    ) -> Sequence[AuditRecord]:
        """Newest first; `before_seq` is the last `seq` of the page before."""

    async def say(
        self, operator: Operator, fleet_id: str, event: str, payload: Mapping[str, Any], *, once: str | None = None
    ) -> Any:
        """Do what the wire event of an agent does, as the agent `dashboard` of the fleet: `direct:send`, `memory:set` …

        Returns the reply's payload. Raises what a capability refuses it with, `Refused` (`unknown_event`), and as for any
        agent `LimitReached` (each person has the rates of an agent) and `Backpressure`.
        """

    async def position(self, tenant_id: str, fleet_id: str) -> Position:
        """Where the fleet's log ends: what is read after this, and a watch from here on, leave nothing out."""

    def watch(self, tenant_id: str, fleet_id: str, *, after: Position | None = None) -> AbstractAsyncContextManager[Watch]:
        """Watch a fleet of the tenant, from a position or from now on."""
