"""Changing what is stored of an agent; the fleet hears of its new profile."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, Meta, UnsetType

from ringforge_core.errors import Conflict, InvalidPayload, RingforgeError
from ringforge_core.identity.actor import Actor
from ringforge_core.identity.agent_events import ProfileUpdated, agent_event
from ringforge_core.identity.agent_rows import info_of, is_agent, no_such_agent, profile_of, select_agents
from ringforge_core.identity.claim import TEXT, ShortText
from ringforge_core.identity.tables import agents
from ringforge_core.plugin.records import AgentInfo
from ringforge_core.ports.store import Transaction

RESERVED_METADATA = frozenset({"fleet_admin", "model"})
"""Keys of an agent's metadata that the hub writes, or that must not look like a grant."""
METADATA_BYTES = 16_384

STORABLE = r"^[^\x00]*$"
Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=TEXT)]
AvatarUrl = Annotated[str, Meta(max_length=2048, pattern=r"^(https?://[^\s\x00]+)?$")]
Description = Annotated[str, Meta(max_length=2000, pattern=STORABLE)]
Tags = Annotated[list[Annotated[str, Meta(min_length=1, max_length=50, pattern=TEXT)]], Meta(max_length=20)]
Capabilities = Annotated[list[ShortText], Meta(max_length=64)]


class AgentPatch(msgspec.Struct, frozen=True, kw_only=True):
    """What is to change; what is not given stays, null empties. Metadata is replaced but for the hub's own keys.

    Making one raises `InvalidPayload` (`validation_failed`) for metadata that is too large or has reserved keys.
    """

    name: Name | UnsetType = UNSET
    display_name: ShortText | UnsetType | None = UNSET
    avatar_url: AvatarUrl | UnsetType | None = UNSET
    description: Description | UnsetType | None = UNSET
    tags: Tags | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET
    framework: ShortText | UnsetType | None = UNSET
    capabilities: Capabilities | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.metadata is not UNSET:
            _check_metadata(self.metadata)

    def changes(self) -> dict[str, Any]:
        return {field: value for field in self.__struct_fields__ if (value := getattr(self, field)) is not UNSET}


class AgentChange(msgspec.Struct, frozen=True):
    tenant_id: str
    agent_id: str
    patch: AgentPatch
    actor: Actor
    at: datetime


def change_agents(tx: Transaction, commands: Sequence[AgentChange]) -> list[AgentInfo | RingforgeError]:
    return [_change(tx, command) for command in commands]


def _change(tx: Transaction, command: AgentChange) -> AgentInfo | RingforgeError:
    agent = find_agent(tx, command.tenant_id, command.agent_id)
    if agent is None:
        return no_such_agent()
    changes = command.patch.changes()
    if changes.get("name", agent.name) != agent.name and name_is_taken(
        tx, command.tenant_id, agent.fleet_id, changes["name"]
    ):
        return name_conflict()
    if "metadata" in changes:
        kept = {key: value for key, value in agent.metadata.items() if key in RESERVED_METADATA}
        changes["metadata"] = {**changes["metadata"], **kept}
    if not changes:
        return agent
    of_agent = is_agent(command.tenant_id, agent.agent_id)
    tx.execute(agents.update().where(of_agent).values(**changes, updated_at=command.at))
    changed = msgspec.structs.replace(agent, **changes)
    tx.append(
        agent_event(
            ProfileUpdated(**profile_of(changed)), tenant_id=command.tenant_id, fleet_id=agent.fleet_id, at=command.at
        )
    )
    if command.actor.id != agent.agent_id:  # what an agent says of itself is no deed of administration
        tx.audit(
            command.actor.did("agent.updated", command.tenant_id, target=("agent", agent.agent_id), fields=list(changes))
        )
    return changed


def find_agent(tx: Transaction, tenant_id: str, agent_id: str) -> AgentInfo | None:
    """The agent, its row locked."""
    query = select_agents(tenant_id).where(is_agent(tenant_id, agent_id)).with_for_update(of=agents)
    row = tx.execute(query).mappings().one_or_none()
    return None if row is None else info_of(row)


def name_is_taken(tx: Transaction, tenant_id: str, fleet_id: str, name: str) -> bool:
    of_fleet = agents.c.tenant_id == tenant_id, agents.c.fleet_id == fleet_id
    return tx.execute(sa.select(agents.c.id).where(*of_fleet, agents.c.name == name)).first() is not None


def name_conflict() -> Conflict:
    return Conflict(
        "An agent of the fleet has this name.", reason="name_conflict", fix="Choose another name.", field="name"
    )


def _check_metadata(metadata: dict[str, Any]) -> None:
    if reserved := RESERVED_METADATA & metadata.keys():
        raise InvalidPayload(
            f"metadata may not hold {' or '.join(sorted(reserved))}.",
            reason="validation_failed",
            field="metadata",
            fix="Leave the key out: it is the hub's own.",
        )
    if len(msgspec.json.encode(metadata)) > METADATA_BYTES:
        raise InvalidPayload(
            f"metadata is larger than {METADATA_BYTES} bytes.",
            reason="validation_failed",
            field="metadata",
            fix="Keep large data in memory or files and refer to it.",
        )
