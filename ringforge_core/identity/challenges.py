"""Proof of identity by Ed25519: the hub sends 32 random bytes, the agent signs them with its private key.

A challenge lives for `TTL`. At most `PENDING` of one agent are open; past that one of the address that has the most gives
way, so that a stranger who asks on and on cannot push out the one that the agent itself is about to answer.
The bytes are stored in the clear: they are no secret, a signature of them is what counts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from secrets import token_bytes
from typing import Any

import msgspec
import sqlalchemy as sa

from ringforge_core.errors import Refused, RingforgeError
from ringforge_core.identity.agent_rows import no_such_agent
from ringforge_core.identity.ids import new_uuid, now
from ringforge_core.identity.lookup import select_in
from ringforge_core.identity.tables import agents, challenges
from ringforge_core.ports.store import Store, Transaction

TTL = timedelta(seconds=30)
PENDING = 3
NONCE_BYTES = 32


class ChallengeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A challenge for this agent is wanted; `nonce` is what it will have to sign."""

    row_id: str
    agent_id: str
    nonce: bytes
    address: str | None
    at: datetime


async def issue_challenge(store: Store, agent_id: str, *, address: str | None) -> bytes:
    """The bytes to sign within `TTL`. Raises `NotFound` (`agent_not_found`) and `Refused` (`no_public_key`)."""
    nonce = token_bytes(NONCE_BYTES)
    wanted = ChallengeRequest(row_id=new_uuid(), agent_id=agent_id, nonce=nonce, address=address, at=now())
    await store.apply(issue_challenges, wanted)
    return nonce


def issue_challenges(tx: Transaction, commands: Sequence[ChallengeRequest]) -> list[RingforgeError | None]:
    known = {row["agent_id"]: row for row in select_in(tx, _AGENTS, agents.c.agent_id, {c.agent_id for c in commands})}
    results = [_refusal(known.get(command.agent_id)) for command in commands]
    granted = [command for command, refusal in zip(commands, results, strict=True) if refusal is None]
    if granted:
        tx.execute(challenges.insert(), [_row(command, known[command.agent_id]["tenant_id"]) for command in granted])
        _sweep(tx, granted)
    return results


_AGENTS = (
    sa.select(agents.c.agent_id, agents.c.tenant_id, agents.c.public_key)
    .where(agents.c.disabled_at.is_(None))
    .order_by(agents.c.id)
    .with_for_update(key_share=True)  # two hubs take turns, so that together they keep to PENDING
)


def _refusal(agent: dict[str, Any] | None) -> RingforgeError | None:
    if agent is None:
        return no_such_agent()
    if agent["public_key"] is None:
        return Refused(
            "The agent has no public key.", reason="no_public_key", fix="Connect with an `api_key` and `agent.public_key`."
        )
    return None


def _row(command: ChallengeRequest, tenant_id: str) -> dict[str, Any]:
    return {
        "id": command.row_id,
        "tenant_id": tenant_id,
        "agent_id": command.agent_id,
        "nonce": command.nonce,
        "address": command.address,
        "issued_at": command.at,
        "expires_at": command.at + TTL,
    }


def _sweep(tx: Transaction, commands: Sequence[ChallengeRequest]) -> None:
    """Delete what has expired, whose ever, and what these agents have too many of."""
    tx.execute(challenges.delete().where(challenges.c.expires_at <= commands[-1].at))
    pending: dict[str, list[dict[str, Any]]] = defaultdict(list)
    query = sa.select(challenges.c.id, challenges.c.agent_id, challenges.c.address).order_by(challenges.c.issued_at)
    for row in select_in(tx, query, challenges.c.agent_id, {command.agent_id for command in commands}):
        pending[row["agent_id"]].append(row)
    surplus = [row["id"] for rows in pending.values() for row in _surplus(rows)]
    if surplus:
        tx.execute(challenges.delete().where(challenges.c.id.in_(surplus)))


def _surplus(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Takes from the rows, oldest first, until `PENDING` are left: of the address that has the most, its oldest."""
    while len(rows) > PENDING:
        (busiest, _), *_ = Counter(row["address"] for row in rows).most_common(1)
        oldest = next(row for row in rows if row["address"] == busiest)
        rows.remove(oldest)
        yield oldest
