"""How an agent comes to be, or comes back: two writes that a storm of joins shares.

Both take a whole batch with a handful of statements. They are right under races too, within a batch and between hubs on
one PostgreSQL: insert what is missing, and only then read who is there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert  # its `on_conflict_do_nothing` is valid SQLite as well

from ringforge_core.errors import RingforgeError, Unauthenticated
from ringforge_core.identity.actor import Actor
from ringforge_core.identity.claim import AgentClaim
from ringforge_core.identity.lookup import select_in
from ringforge_core.identity.tables import agents
from ringforge_core.ports.store import Transaction

NO_CLAIM = AgentClaim()


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """An agent with this name is to be in the fleet. `row_id` and `agent_id` are for the case that it is new."""

    row_id: str
    agent_id: str
    tenant_id: str
    fleet_id: str
    key_id: str
    claim: AgentClaim
    at: datetime
    address: str | None = None


class Reconnection(msgspec.Struct, frozen=True, kw_only=True):
    """An agent comes back by its id. `fleet_id` is given when the key is good for that fleet only."""

    agent_id: str
    tenant_id: str
    fleet_id: str | None
    at: datetime


class Identified(Protocol):
    """Who comes back by its id."""

    @property
    def tenant_id(self) -> str: ...
    @property
    def agent_id(self) -> str: ...


class AdmittedAgent(msgspec.Struct, frozen=True):
    """What is stored of the agent once it is in."""

    agent_id: str
    fleet_id: str
    name: str | None
    framework: str | None
    capabilities: tuple[str, ...]


def register_agents(transaction: Transaction, commands: Sequence[Registration]) -> list[AdmittedAgent | RingforgeError]:
    """A name that is known in the fleet is that agent again; a new name, or none, is a new agent."""
    rows = [_new_row(command) for command in commands]
    transaction.execute(
        insert(agents).on_conflict_do_nothing(index_elements=["fleet_id", "name"]), sorted(rows, key=_lock_order)
    )
    stored = _find_named(transaction, commands)
    _tell_of_new(transaction, commands, stored)
    visits = Visits("registration")
    results = [
        visits.admit(stored.get((row["fleet_id"], row["name"]), row), command.at, command.claim, key_id=command.key_id)
        for command, row in zip(commands, rows, strict=True)
    ]
    visits.write(transaction)
    return results


def _tell_of_new(tx: Transaction, commands: Sequence[Registration], stored: Mapping[tuple[str, str | None], Any]) -> None:
    for command in commands:
        known = stored.get((command.fleet_id, command.claim.name))
        if known is None or known["id"] == command.row_id:
            by = Actor("key", command.key_id, command.address)
            about = {"name": command.claim.name, "fleet_id": command.fleet_id}
            tx.audit(by.did("agent.registered", command.tenant_id, target=("agent", command.agent_id), **about))


def reconnect_agents(transaction: Transaction, commands: Sequence[Reconnection]) -> list[AdmittedAgent | RingforgeError]:
    """An agent that is unknown, another tenant's or out of the key's reach gets one and the same refusal."""
    visits = Visits("reconnect")
    found = find_by_agent_id(transaction, commands)
    results: list[AdmittedAgent | RingforgeError] = []
    for command in commands:
        row = found.get((command.tenant_id, command.agent_id))
        if row is None or command.fleet_id not in (None, row["fleet_id"]):
            results.append(_unknown_agent())
        else:
            results.append(visits.admit(row, command.at))
    visits.write(transaction)
    return results


class Visits:
    """The agents of one batch, each row changed by its visits in their order and written once for each."""

    def __init__(self, auth_mode: str) -> None:
        self._auth_mode = auth_mode
        self._updates: list[dict[str, Any]] = []

    def admit(
        self, row: dict[str, Any], at: datetime, claim: AgentClaim = NO_CLAIM, *, key_id: str | None = None
    ) -> AdmittedAgent | RingforgeError:
        """`key_id` is the API key that the claim came with."""
        if row["disabled_at"] is not None:
            return _unknown_agent()
        if claim.framework is not None:
            row["framework"] = claim.framework
        if claim.capabilities is not None:
            row["capabilities"] = list(claim.capabilities)
        self._updates.append(
            {
                "row_id": row["id"],
                "claimed_key": claim.public_key,
                "claimed_with": key_id,
                "seen_at": at,
                "new_framework": row["framework"],
                "new_capabilities": row["capabilities"],
                "new_auth_mode": self._auth_mode,
            }
        )
        return AdmittedAgent(row["agent_id"], row["fleet_id"], row["name"], row["framework"], tuple(row["capabilities"]))

    def write(self, transaction: Transaction) -> None:
        if self._updates:
            # One order on every hub, or two batches would wait for each other's rows.
            transaction.execute(_UPDATE, sorted(self._updates, key=lambda update: update["row_id"]))


_claimed_key = sa.bindparam("claimed_key", type_=sa.LargeBinary)
# The API key that a public key came with answers for it: when that is revoked, the public key opens nothing either.
_claims_first_key = sa.and_(agents.c.public_key.is_(None), _claimed_key.is_not(None))

_UPDATE = (
    agents.update()
    .where(agents.c.id == sa.bindparam("row_id"))
    .values(
        # Only an agent without a public key takes one from an API key's claim; then it is the agent's own to change.
        public_key=sa.func.coalesce(agents.c.public_key, _claimed_key),
        registered_via_key_id=sa.case(
            (_claims_first_key, sa.bindparam("claimed_with", type_=sa.Text)), else_=agents.c.registered_via_key_id
        ),
        total_connections=agents.c.total_connections + 1,
        last_seen_at=sa.bindparam("seen_at"),
        framework=sa.bindparam("new_framework"),
        capabilities=sa.bindparam("new_capabilities"),
        auth_mode=sa.bindparam("new_auth_mode"),
        updated_at=sa.bindparam("seen_at"),
    )
)

_STORED = sa.select(
    agents.c.id,
    agents.c.tenant_id,
    agents.c.fleet_id,
    agents.c.agent_id,
    agents.c.name,
    agents.c.framework,
    agents.c.capabilities,
    agents.c.disabled_at,
    agents.c.registered_via_key_id,
)


def _unknown_agent() -> Unauthenticated:
    return Unauthenticated(
        "The key opens no such agent.",
        reason="invalid_agent",
        fix="Register with `agent` instead of `agent_id`, with a key of the agent's fleet.",
    )


def _new_row(command: Registration) -> dict[str, Any]:
    claim = command.claim
    return {
        "id": command.row_id,
        "tenant_id": command.tenant_id,
        "fleet_id": command.fleet_id,
        "agent_id": command.agent_id,
        "name": claim.name,
        "framework": claim.framework,
        "capabilities": list(claim.capabilities or ()),
        "disabled_at": None,
        "registered_via_key_id": command.key_id,
        "inserted_at": command.at,
        "updated_at": command.at,
    }


def _lock_order(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["fleet_id"], row["name"] or ""


def _find_named(transaction: Transaction, commands: Sequence[Registration]) -> dict[tuple[str, str | None], dict[str, Any]]:
    names: dict[tuple[str, str], set[str]] = defaultdict(set)
    for command in commands:
        if command.claim.name is not None:
            names[command.tenant_id, command.fleet_id].add(command.claim.name)
    return {
        (fleet_id, row["name"]): row
        for (tenant_id, fleet_id), wanted in names.items()
        for row in select_in(
            transaction,
            _STORED.where(agents.c.tenant_id == tenant_id, agents.c.fleet_id == fleet_id),
            agents.c.name,
            wanted,
        )
    }


def find_by_agent_id(transaction: Transaction, commands: Sequence[Identified]) -> dict[tuple[str, str], dict[str, Any]]:
    of_tenants = _STORED.where(agents.c.tenant_id.in_({command.tenant_id for command in commands}))
    rows = select_in(transaction, of_tenants, agents.c.agent_id, {command.agent_id for command in commands})
    return {(row["tenant_id"], row["agent_id"]): row for row in rows}
