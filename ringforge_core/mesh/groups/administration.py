"""What administration does with squads; the rules are those of the agents' own groups.

The writes raise `NotFound` for what is not there or another tenant's (`fleet_not_found`, `squad_not_found`,
`agent_not_found`, `not_member`), `Conflict` `name_taken` or `group_dissolved`, `LimitReached` `group_full`, and
`InvalidPayload`: `fleet_mismatch` when squad and agent are in different fleets, `invalid` when the group is no squad.
A repeat with the same `once` returns the first result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import msgspec
import sqlalchemy as sa

from ringforge_core.errors import InvalidPayload, NotFound, Refused
from ringforge_core.identity.actor import Actor
from ringforge_core.identity.ids import now
from ringforge_core.identity.lookup import select_in
from ringforge_core.identity.repeatable import apply_once
from ringforge_core.identity.tables import fleets
from ringforge_core.mesh.groups.changes import GroupChanges, decide_each
from ringforge_core.mesh.groups.creation import Creation, make_groups
from ringforge_core.mesh.groups.fleet_agents import fleets_of_agents
from ringforge_core.mesh.groups.group import Group
from ringforge_core.mesh.groups.membership import group_dissolved, put_in, take_out
from ringforge_core.mesh.groups.rules import parse_rules
from ringforge_core.mesh.groups.squads import Squad, in_squads, squad_fields
from ringforge_core.mesh.groups.tables import group_members
from ringforge_core.ports.store import AuditEntry, Once, Store, Transaction

Homes = dict[tuple[str, str], str]
"""The fleet of each agent, by tenant and agent."""


class SquadAssignment(msgspec.Struct, frozen=True, kw_only=True):
    """An agent's squad after a change: the active squad that it joined last, None when it is in none."""

    agent_id: str
    fleet_id: str
    squad_id: str | None


class _Change(msgspec.Struct, frozen=True, kw_only=True):
    """An agent is to be put into a squad or taken out of it."""

    tenant_id: str
    squad_id: str
    agent_id: str
    actor: Actor
    at: datetime


_Decision = Callable[[GroupChanges, Homes, _Change], None]


async def create_squad(
    store: Store,
    tenant_id: str,
    fleet_id: str,
    *,
    name: str,
    capabilities: Sequence[str] = (),
    settings: dict[str, Any] | None = None,
    actor: Actor,
    once: Once | None = None,
) -> Squad:
    """An empty squad; the first agent that is assigned to it, or joins it, is its owner. It stays when it is empty."""
    creation = Creation(
        tenant_id=tenant_id,
        fleet_id=fleet_id,
        actor=actor,
        name=name,
        type="squad",
        capabilities=tuple(capabilities),
        settings=settings or {},
        rules=parse_rules(settings or {}),
        invite=(),
        at=now(),
    )
    return await apply_once(store, _create, creation, Squad, once=once)


async def assign_agent(
    store: Store, tenant_id: str, squad_id: str, agent_id: str, *, actor: Actor, once: Once | None = None
) -> SquadAssignment:
    """Make the agent a member, which is also what it stays in other squads; nothing changes when it is one."""
    change = _Change(tenant_id=tenant_id, squad_id=squad_id, agent_id=agent_id, actor=actor, at=now())
    return await apply_once(store, _assign, change, SquadAssignment, once=once)


async def remove_agent(
    store: Store, tenant_id: str, squad_id: str, agent_id: str, *, actor: Actor, once: Once | None = None
) -> SquadAssignment:
    """Take the agent out. The last owner's role is handed over."""
    change = _Change(tenant_id=tenant_id, squad_id=squad_id, agent_id=agent_id, actor=actor, at=now())
    return await apply_once(store, _remove, change, SquadAssignment, once=once)


def _create(tx: Transaction, commands: Sequence[Creation]) -> list[Squad | Refused]:
    query = sa.select(fleets.c.tenant_id, fleets.c.id).where(fleets.c.tenant_id.in_({each.tenant_id for each in commands}))
    rows = select_in(tx, query, fleets.c.id, {each.fleet_id for each in commands})
    known = {(row["tenant_id"], row["id"]) for row in rows}
    made = iter(make_groups(tx, [each for each in commands if (each.tenant_id, each.fleet_id) in known]))
    results: list[Squad | Refused] = []
    for command in commands:
        group = next(made) if (command.tenant_id, command.fleet_id) in known else _no_such_fleet()
        results.append(Squad(**squad_fields(group)) if isinstance(group, Group) else group)
    return results


def _assign(tx: Transaction, commands: Sequence[_Change]) -> list[SquadAssignment | Refused]:
    return _change(tx, commands, _put_in)


def _remove(tx: Transaction, commands: Sequence[_Change]) -> list[SquadAssignment | Refused]:
    return _change(tx, commands, _take_out)


def _change(tx: Transaction, commands: Sequence[_Change], decide: _Decision) -> list[SquadAssignment | Refused]:
    changes = GroupChanges(tx)
    changes.load_rows({each.tenant_id for each in commands}, {each.squad_id for each in commands})
    homes = fleets_of_agents(tx, {(each.tenant_id, each.agent_id) for each in commands})
    results = decide_each(partial(decide, changes, homes), commands)
    changes.write()
    return [
        _assignment(tx, command, homes) if result is None else result
        for command, result in zip(commands, results, strict=True)
    ]


def _put_in(changes: GroupChanges, homes: Homes, command: _Change) -> None:
    squad = _squad(changes, homes, command)
    if command.agent_id not in squad.members:
        put_in(changes, squad, command.agent_id, at=command.at)
        changes.tx.audit(_deed(command, squad, "group.member_added"))


def _take_out(changes: GroupChanges, homes: Homes, command: _Change) -> None:
    squad = _squad(changes, homes, command)
    if command.agent_id not in squad.members:
        raise NotFound("The agent is not in this squad.", reason="not_member", field="agent_id")
    take_out(changes, squad, command.agent_id, at=command.at)
    changes.tx.audit(_deed(command, squad, "group.member_removed"))


def _squad(changes: GroupChanges, homes: Homes, command: _Change) -> Group:
    """The squad, when it can be changed and the agent is of its fleet."""
    squad = changes.find_row(command.tenant_id, command.squad_id)
    if squad is None:
        raise NotFound("The tenant has no such squad.", reason="squad_not_found", field="squad_id")
    home = homes.get((command.tenant_id, command.agent_id))
    if home is None:
        raise NotFound("The tenant has no such agent.", reason="agent_not_found", field="agent_id")
    if squad.type != "squad":
        raise InvalidPayload(f"This group is a {squad.type}.", reason="invalid", field="squad_id", fix="Name a squad.")
    if home != squad.fleet_id:
        raise InvalidPayload(
            "The squad and the agent are in different fleets.",
            reason="fleet_mismatch",
            field="agent_id",
            fix="Move the agent to the squad's fleet first.",
        )
    if squad.status == "dissolved":
        raise group_dissolved()
    return squad


def _assignment(tx: Transaction, command: _Change, homes: Homes) -> SquadAssignment:
    rows = tx.execute(in_squads(command.tenant_id).where(group_members.c.agent_id == command.agent_id)).all()
    fleet_id = homes[command.tenant_id, command.agent_id]
    return SquadAssignment(agent_id=command.agent_id, fleet_id=fleet_id, squad_id=rows[-1].group_row_id if rows else None)


def _deed(command: _Change, squad: Group, action: str) -> AuditEntry:
    target = ("group", squad.group_id)
    return command.actor.did(action, command.tenant_id, target=target, agent_id=command.agent_id)


def _no_such_fleet() -> NotFound:
    return NotFound("The tenant has no such fleet.", reason="fleet_not_found", field="fleet_id")
