"""The writes behind `fleets`: each locks its tenant's row first, so that hubs on one PostgreSQL take turns.

So two of them cannot give one name twice, nor delete the last two fleets at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, UnsetType

from ringforge_core.errors import Conflict, NotFound, RingforgeError
from ringforge_core.identity.actor import Actor
from ringforge_core.identity.tables import agents, deleted_fleets, fleets, tenants
from ringforge_core.plugin.records import Fleet
from ringforge_core.ports.store import Charge, Transaction

RESOURCE = "fleets"
"""The quota that counts a tenant's fleets."""


class FleetCreation(msgspec.Struct, frozen=True):
    fleet: Fleet
    actor: Actor

    @property
    def tenant_id(self) -> str:
        return self.fleet.tenant_id


class FleetUpdate(msgspec.Struct, frozen=True):
    tenant_id: str
    fleet_id: str
    name: str | UnsetType
    description: str | UnsetType | None
    actor: Actor
    at: datetime


class FleetDeletion(msgspec.Struct, frozen=True):
    tenant_id: str
    fleet_id: str
    actor: Actor
    at: datetime


Change = TypeVar("Change", FleetCreation, FleetUpdate, FleetDeletion)


def create_fleets(tx: Transaction, commands: Sequence[FleetCreation]) -> list[Fleet | RingforgeError]:
    return _in_turn(tx, commands, _create)


def update_fleets(tx: Transaction, commands: Sequence[FleetUpdate]) -> list[Fleet | RingforgeError]:
    return _in_turn(tx, commands, _update)


def delete_fleets(tx: Transaction, commands: Sequence[FleetDeletion]) -> list[Fleet | RingforgeError]:
    """The deleted fleet's agents must have gone; its keys go with it, the rest is purged later."""
    return _in_turn(tx, commands, _delete)


def no_such_fleet() -> NotFound:
    return NotFound("The tenant has no such fleet.", fix="Take an id of fleet:list.", field="fleet_id")


def _in_turn(
    tx: Transaction,
    commands: Sequence[Change],
    change: Callable[[Transaction, Change], Fleet | RingforgeError],
) -> list[Fleet | RingforgeError]:
    of_tenants = tenants.c.id.in_({command.tenant_id for command in commands})
    # NO KEY: whoever inserts a row that refers to the tenant need not wait.
    locked = sa.select(tenants.c.id).where(of_tenants).order_by(tenants.c.id).with_for_update(key_share=True)
    known = set(tx.execute(locked).scalars())
    return [
        change(tx, command) if command.tenant_id in known else NotFound("There is no such tenant.") for command in commands
    ]


def _create(tx: Transaction, command: FleetCreation) -> Fleet | RingforgeError:
    fleet = command.fleet
    if _is_taken(tx, fleet.tenant_id, fleet.name):
        return _name_taken("create_failed")
    if refusal := tx.charge(Charge(fleet.tenant_id, RESOURCE)):
        return refusal
    tx.execute(fleets.insert(), msgspec.structs.asdict(fleet))
    tx.audit(command.actor.did("fleet.created", fleet.tenant_id, target=("fleet", fleet.id), name=fleet.name))
    return fleet


def _update(tx: Transaction, command: FleetUpdate) -> Fleet | RingforgeError:
    fleet = _find(tx, command)
    if fleet is None:
        return no_such_fleet()
    given = {"name": command.name, "description": command.description}
    changes: dict[str, Any] = {field: value for field, value in given.items() if value is not UNSET}
    if changes.get("name", fleet.name) != fleet.name and _is_taken(tx, command.tenant_id, changes["name"]):
        return _name_taken("update_failed")
    updated = msgspec.structs.replace(fleet, **changes, updated_at=command.at)
    tx.execute(fleets.update().where(*_is(command)).values(**changes, updated_at=command.at))
    tx.audit(command.actor.did("fleet.updated", command.tenant_id, target=("fleet", fleet.id), **changes))
    return updated


def _delete(tx: Transaction, command: FleetDeletion) -> Fleet | RingforgeError:
    fleet = _find(tx, command)
    if fleet is None:
        return no_such_fleet()
    if tx.execute(sa.select(agents.c.id).where(*_belongs(command)).limit(1)).first():
        return Conflict(
            "The fleet has agents.", reason="has_agents", fix="Move them to another fleet or delete them first."
        )
    others = sa.select(fleets.c.id).where(fleets.c.tenant_id == command.tenant_id, fleets.c.id != fleet.id)
    if not tx.execute(others.limit(1)).first():
        return Conflict("It is the tenant's last fleet.", reason="last_fleet", fix="Create another fleet first.")
    if refusal := tx.charge(Charge(command.tenant_id, RESOURCE, -1)):
        return refusal
    tx.execute(fleets.delete().where(*_is(command)))
    note = {"tenant_id": command.tenant_id, "fleet_id": fleet.id, "deleted_at": command.at}
    tx.execute(deleted_fleets.insert(), note)
    tx.audit(command.actor.did("fleet.deleted", command.tenant_id, target=("fleet", fleet.id), name=fleet.name))
    return fleet


def _find(tx: Transaction, command: FleetUpdate | FleetDeletion) -> Fleet | None:
    """The fleet, locked: an agent that is just being registered in it is waited for."""
    row = tx.execute(sa.select(fleets).where(*_is(command)).with_for_update()).mappings().one_or_none()
    return None if row is None else Fleet(**row)


def _is(command: FleetUpdate | FleetDeletion) -> tuple[sa.ColumnElement[bool], ...]:
    return fleets.c.tenant_id == command.tenant_id, fleets.c.id == command.fleet_id


def _belongs(command: FleetDeletion) -> tuple[sa.ColumnElement[bool], ...]:
    return agents.c.tenant_id == command.tenant_id, agents.c.fleet_id == command.fleet_id


def _is_taken(tx: Transaction, tenant_id: str, name: str) -> bool:
    query = sa.select(fleets.c.id).where(fleets.c.tenant_id == tenant_id, fleets.c.name == name)
    return tx.execute(query).first() is not None


def _name_taken(reason: str) -> Conflict:
    return Conflict("The tenant has a fleet of this name.", reason=reason, fix="Choose another name.", field="name")
