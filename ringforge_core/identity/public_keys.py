"""Replacing an agent's public key: by the agent itself, or reset by an admin. An API key alone never replaces one.

The first public key comes with a registration; see `registration`. Either way the challenges that wait for a signature of
the old key are gone in the same commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from ringforge_core.errors import RingforgeError, Unauthenticated
from ringforge_core.identity.actor import Actor
from ringforge_core.identity.agent_rows import is_agent, no_such_agent
from ringforge_core.identity.ids import now
from ringforge_core.identity.repeatable import apply_once
from ringforge_core.identity.signatures import is_signed
from ringforge_core.identity.tables import agents, challenges, tenants
from ringforge_core.plugin.capability import AgentSession
from ringforge_core.ports.store import Once, Store, Transaction


class KeyRotation(msgspec.Struct, frozen=True):
    """`signature` is the old key's of the new one's 32 bytes; `key_id` is the API key that answers for the new one."""

    tenant_id: str
    agent_id: str
    public_key: bytes
    signature: bytes | None
    key_id: str | None
    actor: Actor
    at: datetime


class RotatedPublicKey(msgspec.Struct, frozen=True):
    agent_id: str
    public_key: bytes
    rotated_at: datetime


class PublicKeyReset(msgspec.Struct, frozen=True):
    tenant_id: str
    agent_id: str
    actor: Actor
    at: datetime


async def rotate_public_key(
    store: Store, session: AgentSession, public_key: bytes, *, signature: bytes | None, once: Once | None = None
) -> RotatedPublicKey:
    """Give the session's agent a new Ed25519 key of 32 bytes.

    Raises `NotFound` (`agent_not_found`) and `Unauthenticated`: `missing_signature` where the tenant wants the old key's
    proof, `invalid_signature` when one is given that is none.
    """
    rotation = KeyRotation(
        session.tenant_id, session.agent_id, public_key, signature, session.key_id, Actor.of(session), now()
    )
    return await apply_once(store, rotate_keys, rotation, RotatedPublicKey, once=once)


async def reset_public_key(store: Store, tenant_id: str, agent_id: str, *, actor: Actor) -> None:
    """Forget the agent's public key: the next registration that brings one sets it. Raises `NotFound`."""
    await store.apply(reset_keys, PublicKeyReset(tenant_id, agent_id, actor, now()))


def rotate_keys(tx: Transaction, commands: Sequence[KeyRotation]) -> list[RotatedPublicKey | RingforgeError]:
    return [_rotate(tx, command) for command in commands]


def reset_keys(tx: Transaction, commands: Sequence[PublicKeyReset]) -> list[RingforgeError | None]:
    return [_reset(tx, command) for command in commands]


def _rotate(tx: Transaction, command: KeyRotation) -> RotatedPublicKey | RingforgeError:
    query = sa.select(agents.c.public_key, tenants.c.require_key_proof).join(tenants, tenants.c.id == agents.c.tenant_id)
    of_agent = is_agent(command.tenant_id, command.agent_id)
    row = tx.execute(query.where(of_agent).with_for_update(of=agents)).one_or_none()
    if row is None:
        return no_such_agent()
    refusal = _check_proof(command, row.public_key, required=row.require_key_proof)
    if refusal is not None:
        return refusal
    new = {"public_key": command.public_key, "registered_via_key_id": command.key_id, "updated_at": command.at}
    tx.execute(agents.update().where(of_agent).values(new))
    _drop_challenges(tx, command)
    proof = "signature" if command.signature is not None and row.public_key is not None else None
    target = ("agent", command.agent_id)
    tx.audit(command.actor.did("agent.key_rotated", command.tenant_id, target=target, proof=proof))
    return RotatedPublicKey(command.agent_id, command.public_key, command.at)


def _check_proof(command: KeyRotation, old_key: bytes | None, *, required: bool) -> RingforgeError | None:
    if old_key is None:
        return None
    if command.signature is None:
        if not required:
            return None
        return Unauthenticated(
            "A new public key must be signed by the old one.",
            reason="missing_signature",
            fix="Send `signature`: the new key's 32 bytes signed with the old private key, in base64.",
            field="signature",
        )
    if is_signed(command.public_key, command.signature, old_key):
        return None
    return Unauthenticated(
        "The signature is not the old key's of the new one.",
        reason="invalid_signature",
        fix="Sign the 32 raw bytes of the new public key with the old private key.",
        field="signature",
    )


def _reset(tx: Transaction, command: PublicKeyReset) -> RingforgeError | None:
    of_agent = is_agent(command.tenant_id, command.agent_id)
    found = tx.execute(sa.select(agents.c.agent_id).where(of_agent).with_for_update()).scalar_one_or_none()
    if found is None:
        return no_such_agent()
    tx.execute(agents.update().where(of_agent).values(public_key=None, updated_at=command.at))
    _drop_challenges(tx, msgspec.structs.replace(command, agent_id=found))
    tx.audit(command.actor.did("agent.key_reset", command.tenant_id, target=("agent", found)))
    return None


def _drop_challenges(tx: Transaction, command: KeyRotation | PublicKeyReset) -> None:
    of_agent = challenges.c.tenant_id == command.tenant_id, challenges.c.agent_id == command.agent_id
    tx.execute(challenges.delete().where(*of_agent))
