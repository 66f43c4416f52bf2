"""How keys are made, replaced and ended in the store, each with its audit entry in the same commit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from ringforge_core.errors import NotFound, RingforgeError
from ringforge_core.identity.actor import Actor
from ringforge_core.identity.api_key import key_row, new_key
from ringforge_core.identity.lookup import select_in
from ringforge_core.identity.tables import agents, api_keys, fleets, tenants
from ringforge_core.plugin.records import CreatedKey, RotatedKey
from ringforge_core.ports.store import Transaction

NO_SUCH_KEY = "The tenant has no such key."


class NewKey(msgspec.Struct, frozen=True):
    tenant_id: str
    key: CreatedKey
    actor: Actor


class Rotation(msgspec.Struct, frozen=True):
    """Both keys work from `at` until `until`."""

    tenant_id: str
    key_id: str
    actor: Actor
    at: datetime
    until: datetime


class Revocation(msgspec.Struct, frozen=True):
    tenant_id: str
    key_id: str
    actor: Actor
    at: datetime


def write_keys(transaction: Transaction, commands: Sequence[NewKey]) -> list[CreatedKey | RingforgeError]:
    wanted = {command.key.fleet_id for command in commands if command.key.fleet_id is not None}
    own_fleets = {
        (row["tenant_id"], row["id"])
        for row in select_in(transaction, sa.select(fleets.c.tenant_id, fleets.c.id), fleets.c.id, wanted)
    }
    known = {
        row["id"]
        for row in select_in(
            transaction, sa.select(tenants.c.id), tenants.c.id, {command.tenant_id for command in commands}
        )
    }
    rows: list[dict[str, Any]] = []
    results: list[CreatedKey | RingforgeError] = []
    for command in commands:
        tenant_id, key = command.tenant_id, command.key
        if tenant_id not in known:
            results.append(NotFound("There is no such tenant."))
        elif key.fleet_id is not None and (tenant_id, key.fleet_id) not in own_fleets:
            results.append(NotFound("The tenant has no such fleet.", field="fleet_id"))
        else:
            rows.append(key_row(tenant_id, key))
            target = ("api_key", key.id)
            transaction.audit(
                command.actor.did("api_key.created", tenant_id, target=target, kind=key.kind, prefix=key.prefix)
            )
            results.append(key)
    if rows:
        transaction.execute(api_keys.insert(), rows)
    return results


def rotate_keys(transaction: Transaction, commands: Sequence[Rotation]) -> list[RotatedKey | RingforgeError]:
    return [_rotate(transaction, command) for command in commands]


def _rotate(transaction: Transaction, command: Rotation) -> RotatedKey | RingforgeError:
    this = _of_tenant(command.tenant_id, command.key_id)
    works = sa.and_(
        api_keys.c.revoked_at.is_(None), sa.or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > command.at)
    )
    old = transaction.execute(
        sa.select(api_keys.c.kind, api_keys.c.fleet_id, api_keys.c.name, api_keys.c.expires_at).where(this, works)
    ).one_or_none()
    if old is None:
        return NotFound(NO_SUCH_KEY)
    key = new_key(old.kind, fleet_id=old.fleet_id, name=old.name)
    until = command.until if old.expires_at is None else min(command.until, old.expires_at)
    transaction.execute(api_keys.insert(), key_row(command.tenant_id, key))
    transaction.execute(api_keys.update().where(this).values(expires_at=until))
    # The new key answers for the public keys that came with the old one: the agents that sign do not notice the rotation.
    registered = agents.c.tenant_id == command.tenant_id, agents.c.registered_via_key_id == command.key_id
    transaction.execute(agents.update().where(*registered).values(registered_via_key_id=key.id))
    transaction.audit(
        command.actor.did(
            "api_key.rotated", command.tenant_id, target=("api_key", command.key_id), replaced_by=key.id, prefix=key.prefix
        )
    )
    return RotatedKey(key, command.key_id, until)


def revoke_keys(transaction: Transaction, commands: Sequence[Revocation]) -> list[RingforgeError | None]:
    return [_revoke(transaction, command) for command in commands]


def _revoke(transaction: Transaction, command: Revocation) -> RingforgeError | None:
    this = _of_tenant(command.tenant_id, command.key_id)
    ended = transaction.execute(
        api_keys.update().where(this, api_keys.c.revoked_at.is_(None)).values(revoked_at=command.at)
    )
    if ended.rowcount:
        transaction.audit(command.actor.did("api_key.revoked", command.tenant_id, target=("api_key", command.key_id)))
        return None
    known = transaction.execute(sa.select(api_keys.c.id).where(this)).first()
    return None if known else NotFound(NO_SUCH_KEY)


def _of_tenant(tenant_id: str, key_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(api_keys.c.tenant_id == tenant_id, api_keys.c.id == key_id)
