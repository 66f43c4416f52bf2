"""What agents send and get about presence; source: wire protocol 3.1."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ringforge_core.errors import LimitReached
from ringforge_core.plugin import Push, Reason, Reply, Request

State = Literal["online", "busy", "away", "offline"]
STATES: tuple[State, ...] = get_args(State)

METADATA_BYTES = 16_384

Task = Annotated[str, Meta(max_length=500)]
Load = Annotated[float, Meta(ge=0)]
Model = Annotated[str, Meta(max_length=200)]
Framework = Annotated[str, Meta(max_length=100)]
Capabilities = Annotated[list[Annotated[str, Meta(max_length=100)]], Meta(max_length=64)]


class PresenceFields(Request):
    """Only the fields given change; a null clears `task`. `metadata` is bounded, and shown to nobody."""

    task: Task | UnsetType | None = UNSET
    load: Load | UnsetType = UNSET
    model: Model | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.metadata and len(msgspec.json.encode(self.metadata)) > METADATA_BYTES:
            raise LimitReached(
                f"metadata is larger than {METADATA_BYTES} bytes.",
                reason="payload_too_large",
                field="metadata",
                fix="Keep large data in memory or files and refer to it.",
            )


class UpdatePresence(PresenceFields):
    state: Annotated[State | UnsetType, Reason("invalid_state")] = UNSET


class JoinPresence(PresenceFields):
    """The presence's part of a join. A `state` that is none counts as online; the name is the stored one."""

    state: Any = UNSET
    framework: Framework | UnsetType = UNSET
    capabilities: Capabilities | UnsetType = UNSET

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.state is None:
            self.state = UNSET
        elif self.state is not UNSET and self.state not in STATES:
            self.state = "online"


class PresenceUpdated(Reply):
    status: Literal["updated"] = "updated"


class GetRoster(Request):
    """Has no fields."""


class RosterEntry(msgspec.Struct, kw_only=True):
    """One agent that is present; `load` is 0 or more, `connected_at` when it came, ISO 8601 UTC."""

    agent_id: str
    name: str | None
    framework: str | None
    model: str | None
    capabilities: list[str]
    state: State
    task: str | None
    load: float
    connected_at: str
    node: str
    region: str


class Roster(Reply, Push):
    """The agents present, who came last first; `total` counts them when they do not all fit."""

    wire = "presence:roster"

    agents: list[RosterEntry]
    total: int


class Joined(RosterEntry, Push):
    """An agent came."""

    wire = "presence:joined"


class Left(Push):
    """An agent went; `last_seen_at` is when its last connection ended."""

    wire = "presence:left"

    agent_id: str
    name: str | None
    last_seen_at: str


class StateChanged(Push):
    """An agent said what it does now."""

    wire = "presence:state_changed"

    agent_id: str
    name: str | None
    state: State
    task: str | None
    load: float
    model: str | None
