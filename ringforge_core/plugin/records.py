"""What administration shows of a tenant's things: the REST API and the dashboard tell the same of them.

Instants are aware.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Generic, Literal, Protocol, TypeVar

import msgspec

Item = TypeVar("Item")

KeyKind = Literal["live", "test", "admin"]
Quota = int | Literal["unlimited"]
Feature = Literal["single_sign_on"]
"""What a plan includes or not. `single_sign_on`: people of the tenant sign in at its own identity provider."""


class Page(msgspec.Struct, Generic[Item], frozen=True):
    """Some items of a list; `cursor` begins the next page, None on the last one."""

    items: list[Item]
    cursor: str | None = None


class Fleet(msgspec.Struct, frozen=True, kw_only=True):
    """A fleet as it is stored."""

    id: str
    tenant_id: str
    name: str
    description: str | None
    inserted_at: datetime
    updated_at: datetime


class CountedFleet(Fleet, frozen=True, kw_only=True):
    """A fleet with how many agents, connected or not, and active squads it has."""

    agent_count: int
    squad_count: int


class AgentInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about an agent but its public key."""

    id: str
    agent_id: str
    fleet_id: str
    fleet_name: str
    name: str | None
    display_name: str | None
    avatar_url: str | None
    description: str | None
    tags: list[str]
    metadata: dict[str, Any]
    framework: str | None
    capabilities: list[str]
    total_connections: int
    total_messages: int
    last_seen_at: datetime | None
    inserted_at: datetime
    fleet_admin: bool
    has_public_key: bool


class SessionInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One connection of an agent; without `disconnected_at` it is open."""

    id: str
    node: str
    ip_address: str | None
    connected_at: datetime
    disconnected_at: datetime | None
    disconnect_reason: str | None


class AgentDetail(msgspec.Struct, frozen=True, kw_only=True):
    """An agent with its Ed25519 key of 32 bytes, since when it is barred, and its newest sessions, newest first."""

    agent: AgentInfo
    public_key: bytes | None
    blocked_at: datetime | None
    sessions: list[SessionInfo]


class PresentAgent(Protocol):
    """What an agent that is connected does. `connected_at` is ISO 8601 UTC, `load` 0 or more."""

    @property
    def agent_id(self) -> str: ...
    @property
    def name(self) -> str | None: ...
    @property
    def framework(self) -> str | None: ...
    @property
    def capabilities(self) -> Sequence[str]: ...
    @property
    def state(self) -> str: ...
    @property
    def task(self) -> str | None: ...
    @property
    def load(self) -> float: ...
    @property
    def connected_at(self) -> str: ...


class KeyInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A key as people see it. `fleet_id` None: it opens the tenant's default fleet."""

    id: str
    prefix: str
    kind: KeyKind
    fleet_id: str | None
    name: str | None
    expires_at: datetime | None
    inserted_at: datetime


class CreatedKey(KeyInfo, frozen=True, kw_only=True):
    """A new key with its full text in `key`, for the only time."""

    key: str

    def __repr__(self) -> str:
        return f"CreatedKey(id={self.id!r}, prefix={self.prefix!r})"


class RotatedKey(msgspec.Struct, frozen=True):
    """The new key, and until when the one that it replaces still works."""

    key: CreatedKey
    replaced_id: str
    replaced_expires_at: datetime


class Used(msgspec.Struct, frozen=True):
    used: int
    limit: Quota


class Usage(msgspec.Struct, frozen=True):
    """What a tenant uses at this moment, by resource."""

    tenant_id: str
    plan: str
    usage: dict[str, Used]


class AuditRecord(msgspec.Struct, frozen=True):
    """Who did what, to what, when, from where. `seq` counts a tenant's entries from 1."""

    seq: int
    at: datetime
    action: str
    actor_type: str
    actor_id: str
    target_type: str | None
    target_id: str | None
    ip_address: str | None
    metadata: dict[str, Any]
    hash: str


class Minute(msgspec.Struct, frozen=True):
    """What happened in a fleet in the minute that begins `at`: all events of its log, and how many were messages."""

    at: datetime
    events: int
    messages: int


class Concern(msgspec.Struct, frozen=True, kw_only=True):
    """Something of a fleet that people should look at, as a capability tells it."""

    kind: str
    """What it is, in a word for programs: `messages_waiting`."""
    title: str
    """What it is about: the name of an agent, of a job …"""
    text: str
    """What is the matter, in words that follow the title: `does not take its messages: 2 wait`."""
    since: datetime | None = None
    agent_id: str | None = None
    """The agent that it is about."""
    path: str | None = None
    """The page where people see to it, for a capability that gives one; None: the agent's."""


class Attention(msgspec.Struct, frozen=True):
    """What an operator should know of a fleet and its tenant; of each the most urgent few."""

    blocked: Sequence[AgentInfo]
    """Of the fleet, who was barred last comes first."""
    ending_keys: Sequence[KeyInfo]
    """Of the tenant, what ends first comes first."""
    concerns: Sequence[Concern]
    """Of the fleet, what the capabilities tell, each what presses most first."""
