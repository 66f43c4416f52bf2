"""The changes: a passkey is added, renamed, used, removed. All but its use is told in the audit log of the tenant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from ringforge_auth_passkeys.tables import passkeys
from ringforge_core.errors import Conflict, NotFound, RingforgeError
from ringforge_core.plugin import now
from ringforge_core.ports.store import AuditEntry, Store, Transaction

MOST = 20
"""Passkeys of one person."""
LONGEST_NAME = 60

CountWays = Callable[[Transaction, str], int]


class Passkey(msgspec.Struct, frozen=True):
    """As a person sees it."""

    id: str
    name: str
    synced: bool
    credential_id: bytes
    transports: list[str]
    inserted_at: datetime
    used_at: datetime | None


class Candidate(msgspec.Struct, frozen=True):
    """As a sign-in looks it up."""

    id: str
    user_id: str
    credential: bytes
    party_id: str


class Actor(msgspec.Struct, frozen=True):
    """Who changes something of their own, in which tenant, from where."""

    user_id: str
    tenant_id: str
    address: str | None


class Add(msgspec.Struct, frozen=True, kw_only=True):
    """`letter` sends the mail that tells of it."""

    by: Actor
    id: str
    credential_id: bytes
    credential: bytes
    party_id: str
    sign_count: int
    synced: bool
    transports: list[str]
    name: str
    letter: Callable[[Transaction], None]
    at: datetime


class Rename(msgspec.Struct, frozen=True):
    by: Actor
    id: str
    name: str


class Remove(msgspec.Struct, frozen=True):
    """`count_ways` says with how many things the person signs in."""

    by: Actor
    id: str
    count_ways: CountWays


class Use(msgspec.Struct, frozen=True):
    """Its counter has grown, or it has none."""

    id: str
    sign_count: int
    synced: bool
    at: datetime


def tidy_name(text: str) -> str:
    """What a person typed as a name, on one line."""
    return " ".join(text.split())[:LONGEST_NAME] or "Passkey"


async def list_passkeys(store: Store, user_id: str) -> list[Passkey]:
    columns = [passkeys.c[name] for name in Passkey.__struct_fields__]
    query = sa.select(*columns).where(passkeys.c.user_id == user_id).order_by(passkeys.c.inserted_at, passkeys.c.id)
    rows = await store.read(lambda connection: connection.execute(query).mappings().fetchall())
    return [Passkey(**row) for row in rows]


async def find_passkey(store: Store, user_id: str, passkey_id: str) -> Passkey:
    """Raises `NotFound` for one that is not theirs."""
    found = next((each for each in await list_passkeys(store, user_id) if each.id == passkey_id), None)
    if found is None:
        raise _missing()
    return found


async def find_candidate(store: Store, credential_id: bytes) -> Candidate | None:
    columns = [passkeys.c[name] for name in Candidate.__struct_fields__]
    query = sa.select(*columns).where(passkeys.c.credential_id == credential_id)
    row = await store.read(lambda connection: connection.execute(query).mappings().one_or_none())
    return None if row is None else Candidate(**row)


async def add(store: Store, command: Add) -> None:
    """Raises `Conflict` for a passkey that is known here already, and for one too many."""
    await store.apply(_add_all, command)


async def rename(store: Store, by: Actor, passkey_id: str, name: str) -> None:
    """Raises `NotFound`."""
    await store.apply(_rename_all, Rename(by, passkey_id, tidy_name(name)))


async def remove(store: Store, by: Actor, passkey_id: str, count_ways: CountWays) -> None:
    """Raises `NotFound`, and `Conflict` when the person signs in with nothing else."""
    await store.apply(_remove_all, Remove(by, passkey_id, count_ways))


async def use(store: Store, passkey_id: str, sign_count: int, *, synced: bool) -> bool:
    """Note a sign-in; False when the counter did not grow, so there may be a copy of the passkey."""
    return await store.apply(_use_all, Use(passkey_id, sign_count, synced, now()))


def count_of(tx: Transaction, user_id: str) -> int:
    counted: int = tx.execute(sa.select(sa.func.count()).where(passkeys.c.user_id == user_id)).scalar_one()
    return counted


def forget_added(tx: Transaction, user_id: str, since: datetime) -> None:
    """Part of a change by which somebody takes their account back."""
    tx.execute(passkeys.delete().where(passkeys.c.user_id == user_id, passkeys.c.inserted_at >= since))


def _add_all(tx: Transaction, commands: Sequence[Add]) -> list[RingforgeError | None]:
    return [_add(tx, command) for command in commands]


def _add(tx: Transaction, command: Add) -> RingforgeError | None:
    known = sa.select(passkeys.c.id).where(passkeys.c.credential_id == command.credential_id)
    if tx.execute(known).first() is not None:
        return Conflict("This passkey is known here already.", reason="known_passkey", fix="Sign in with it.")
    if count_of(tx, command.by.user_id) >= MOST:
        return Conflict(f"You have {MOST} passkeys.", reason="too_many_passkeys", fix="Remove one that you need no more.")
    row = msgspec.structs.asdict(command)
    del row["by"], row["letter"], row["at"]
    tx.execute(passkeys.insert(), {**row, "user_id": command.by.user_id, "inserted_at": command.at})
    command.letter(tx)
    _tell(tx, command.by, "user.passkey_added", command.id, name=command.name)
    return None


def _rename_all(tx: Transaction, commands: Sequence[Rename]) -> list[RingforgeError | None]:
    return [_rename(tx, command) for command in commands]


def _rename(tx: Transaction, command: Rename) -> RingforgeError | None:
    if not tx.execute(passkeys.update().where(_own(command)).values(name=command.name)).rowcount:
        return _missing()
    _tell(tx, command.by, "user.passkey_renamed", command.id, name=command.name)
    return None


def _remove_all(tx: Transaction, commands: Sequence[Remove]) -> list[RingforgeError | None]:
    return [_remove(tx, command) for command in commands]


def _remove(tx: Transaction, command: Remove) -> RingforgeError | None:
    ways = command.count_ways(tx, command.by.user_id)
    name = tx.execute(sa.select(passkeys.c.name).where(_own(command))).scalar_one_or_none()
    if name is None:
        return _missing()
    if ways <= 1:
        return Conflict(
            "You sign in with nothing else.", reason="last_way_in", fix="Set a password, or add another passkey, first."
        )
    tx.execute(passkeys.delete().where(_own(command)))
    _tell(tx, command.by, "user.passkey_removed", command.id, name=name)
    return None


def _use_all(tx: Transaction, commands: Sequence[Use]) -> list[bool]:
    return [_use(tx, command) for command in commands]


def _use(tx: Transaction, command: Use) -> bool:
    # Synced passkeys have no counter: it stays 0.
    before = passkeys.c.sign_count == 0 if command.sign_count == 0 else passkeys.c.sign_count < command.sign_count
    grown = sa.and_(passkeys.c.id == command.id, before)
    changed = {"sign_count": command.sign_count, "synced": command.synced, "used_at": command.at}
    return bool(tx.execute(passkeys.update().where(grown).values(changed)).rowcount)


def _own(command: Rename | Remove) -> sa.ColumnElement[bool]:
    return sa.and_(passkeys.c.id == command.id, passkeys.c.user_id == command.by.user_id)


def _tell(tx: Transaction, by: Actor, action: str, passkey_id: str, **more: Any) -> None:
    entry = AuditEntry(
        tenant_id=by.tenant_id, action=action, actor_type="user", actor_id=by.user_id, target_type="passkey",
        target_id=passkey_id, address=by.address, metadata=more,
    )  # fmt: skip
    tx.audit(entry)


def _missing() -> NotFound:
    return NotFound("You have no such passkey.")
