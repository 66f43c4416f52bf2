"""What administration does with squads and reads of them; the rules are those of the agents' own groups.

The writes raise `RingforgeError`s: `NotFound` for what is not there or another tenant's, `Conflict` `name_taken`,
`InvalidPayload` `fleet_mismatch` when squad and agent are in different fleets and `invalid` when the group is no squad.
With `once`, a repeat returns the first result as `msgspec.Raw`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from ringforge_core.mesh.groups.actor import Actor
from ringforge_core.mesh.groups.messages import GroupType, Role, Status
from ringforge_core.ports.store import Once, Store


class Squad(msgspec.Struct, frozen=True, kw_only=True):
    """A squad as administration sees it: `id` is the squad_id, `group_id` what agents know it by."""

    id: str
    group_id: str
    name: str
    type: GroupType
    fleet_id: str
    capabilities: list[str]
    status: Status


class SquadAssignment(msgspec.Struct, frozen=True, kw_only=True):
    """An agent's squad after a change: the active squad that it joined last, None when it is in none."""

    agent_id: str
    fleet_id: str
    squad_id: str | None


class SquadMember(msgspec.Struct, frozen=True, kw_only=True):
    agent_id: str
    role: Role


class SquadOverview(Squad, frozen=True, kw_only=True):
    """A squad with its members, who is longest in it first."""

    agents: list[SquadMember]
    member_count: int


async def create_squad(
    store: Store,
    actor: Actor,
    fleet_id: str,
    *,
    name: str,
    capabilities: Sequence[str] = (),
    settings: dict[str, Any] | None = None,
    once: Once | None = None,
) -> Squad:
    """An empty squad; the first agent that is assigned to it, or joins it, is its owner. It stays when it is empty."""
    raise NotImplementedError


async def assign_agent(
    store: Store, actor: Actor, squad_id: str, agent_id: str, *, once: Once | None = None
) -> SquadAssignment:
    """Make the agent a member; nothing changes when it is one."""
    raise NotImplementedError


async def remove_agent(
    store: Store, actor: Actor, squad_id: str, agent_id: str, *, once: Once | None = None
) -> SquadAssignment:
    """Take the agent out; raises `NotFound` `not_member` when it is not in. The last owner's role is handed over."""
    raise NotImplementedError


def read_squads(connection: sa.Connection, tenant_id: str, fleet_id: str) -> list[SquadOverview]:
    """The fleet's active squads, newest first; for `Store.read`."""
    raise NotImplementedError


def count_squads(connection: sa.Connection, tenant_id: str) -> dict[str, int]:
    """How many active squads each fleet of the tenant has; a fleet without is not in it. For `Store.read`."""
    raise NotImplementedError


def squads_of_agents(connection: sa.Connection, tenant_id: str, fleet_id: str) -> dict[str, str]:
    """The squad_id of each agent of the fleet that is in an active squad, the last one that it joined."""
    raise NotImplementedError
