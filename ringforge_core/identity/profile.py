"""What an agent says of itself in a join, written where it differs from what is stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from ringforge_core.errors import NotFound, RingforgeError
from ringforge_core.identity.claim import AgentClaim
from ringforge_core.identity.lookup import select_in
from ringforge_core.identity.tables import agents
from ringforge_core.ports.store import Transaction


class ProfileChange(msgspec.Struct, frozen=True, kw_only=True):
    """The agent's own words; None for what it did not say."""

    tenant_id: str
    agent_id: str
    claim: AgentClaim
    model: str | None
    at: datetime


class StoredProfile(msgspec.Struct, frozen=True):
    name: str | None
    framework: str | None
    capabilities: tuple[str, ...]


def change_profiles(transaction: Transaction, commands: Sequence[ProfileChange]) -> list[StoredProfile | RingforgeError]:
    """Change each agent in its turn. A name that the fleet knows already is not taken; the rest of the change is."""
    rows = _read(transaction, commands)
    taken = _taken_names(transaction, commands, rows)
    changed: dict[str, dict[str, Any]] = {}
    results: list[StoredProfile | RingforgeError] = []
    for command in commands:
        row = rows.get((command.tenant_id, command.agent_id))
        if row is None:
            results.append(NotFound("There is no such agent any more.", reason="agent_not_found"))
            continue
        _change(row, command, taken)
        changed[row["row_id"]] = row
        results.append(StoredProfile(row["new_name"], row["new_framework"], tuple(row["new_capabilities"])))
    if changed:
        transaction.execute(_UPDATE, [changed[row_id] for row_id in sorted(changed)])
    return results


_ROWS = sa.select(
    agents.c.id.label("row_id"),
    agents.c.tenant_id,
    agents.c.fleet_id,
    agents.c.agent_id,
    agents.c.name.label("new_name"),
    agents.c.framework.label("new_framework"),
    agents.c.capabilities.label("new_capabilities"),
    agents.c.metadata.label("new_metadata"),
).with_for_update()

_UPDATE = (
    agents.update()
    .where(agents.c.id == sa.bindparam("row_id"))
    .values(
        name=sa.bindparam("new_name"),
        framework=sa.bindparam("new_framework"),
        capabilities=sa.bindparam("new_capabilities"),
        metadata=sa.bindparam("new_metadata"),
        updated_at=sa.bindparam("changed_at"),
    )
)


def _change(row: dict[str, Any], command: ProfileChange, taken: set[tuple[str, str]]) -> None:
    claim = command.claim
    if claim.name is not None and (row["fleet_id"], claim.name) not in taken:
        taken.add((row["fleet_id"], claim.name))
        row["new_name"] = claim.name
    if claim.framework is not None:
        row["new_framework"] = claim.framework
    if claim.capabilities is not None:
        row["new_capabilities"] = list(claim.capabilities)
    if command.model is not None:
        row["new_metadata"] = {**row["new_metadata"], "model": command.model}
    row["changed_at"] = command.at


def _read(transaction: Transaction, commands: Sequence[ProfileChange]) -> dict[tuple[str, str], dict[str, Any]]:
    of_tenants = _ROWS.where(agents.c.tenant_id.in_({command.tenant_id for command in commands}))
    rows = select_in(transaction, of_tenants, agents.c.agent_id, {command.agent_id for command in commands})
    return {(row["tenant_id"], row["agent_id"]): row for row in rows}


def _taken_names(
    transaction: Transaction, commands: Sequence[ProfileChange], rows: dict[tuple[str, str], dict[str, Any]]
) -> set[tuple[str, str]]:
    """Those of the wanted names that an agent of the fleet has, by fleet and name."""
    wanted: dict[tuple[str, str], set[str]] = defaultdict(set)
    for command in commands:
        row = rows.get((command.tenant_id, command.agent_id))
        if row is not None and command.claim.name is not None:
            wanted[command.tenant_id, row["fleet_id"]].add(command.claim.name)
    return {
        (fleet_id, row["name"])
        for (tenant_id, fleet_id), names in wanted.items()
        for row in select_in(
            transaction,
            sa.select(agents.c.name).where(agents.c.tenant_id == tenant_id, agents.c.fleet_id == fleet_id),
            agents.c.name,
            names,
        )
    }
