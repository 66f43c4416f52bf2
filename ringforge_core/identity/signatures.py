"""Whose signature of which challenge: checked before the write that uses the challenge up."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
import sqlalchemy as sa
from nacl.exceptions import CryptoError
from nacl.signing import VerifyKey

from ringforge_core.errors import Unauthenticated
from ringforge_core.identity.ids import now
from ringforge_core.identity.lookup import SLICE
from ringforge_core.identity.tables import agents, challenges
from ringforge_core.ports.store import Store


class MatchedChallenge(msgspec.Struct, frozen=True):
    """A pending challenge that the agent's key has signed; not used up yet."""

    row_id: str
    tenant_id: str
    agent_id: str


class PendingChallenges:
    """Finds the challenge that an agent signed. Agents that come back together, as after a restart, share the look-ups."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._wanted: set[str] = set()
        self._next: asyncio.Task[dict[str, list[Any]]] | None = None
        self._one_by_one = asyncio.Lock()

    async def match(self, agent_id: str, signature: bytes) -> MatchedChallenge:
        """The pending challenge that the signature is of. Raises `Unauthenticated` (`invalid_challenge`)."""
        for row in await self._of(agent_id):
            if is_signed(row.nonce, signature, row.public_key):
                return MatchedChallenge(row.id, row.tenant_id, agent_id)
        raise invalid_challenge()

    async def _of(self, agent_id: str) -> list[Any]:
        self._wanted.add(agent_id)
        if self._next is None:
            self._next = asyncio.create_task(self._look_up())
        found = await asyncio.shield(self._next)  # one caller that hangs up must not take the others' answer along
        return found.get(agent_id, [])

    async def _look_up(self) -> dict[str, list[Any]]:
        """Waits for the look-up before, and takes all who have come meanwhile."""
        async with self._one_by_one:
            wanted, self._wanted, self._next = sorted(self._wanted), set(), None
            found: dict[str, list[Any]] = defaultdict(list)
            for start in range(0, len(wanted), SLICE):
                for row in await self._store.read(partial(_pending, wanted[start : start + SLICE])):
                    found[row.agent_id].append(row)
            return found


def is_signed(message: bytes, signature: bytes, public_key: bytes | None) -> bool:
    """Whether it is the key's Ed25519 signature of the message; 70 µs, where handing over to a thread alone costs 50."""
    try:
        VerifyKey(public_key or b"").verify(message, signature)
    except (CryptoError, ValueError):
        return False
    return True


def invalid_challenge() -> Unauthenticated:
    return Unauthenticated(
        "The signature is of no pending challenge of this agent, or the key that registered it is no longer good.",
        reason="invalid_challenge",
        fix="POST /api/auth/challenge and sign the bytes within 30 seconds, or connect with an `api_key`.",
    )


_PENDING = sa.select(
    challenges.c.id, challenges.c.tenant_id, challenges.c.agent_id, challenges.c.nonce, agents.c.public_key
).join(agents, sa.and_(agents.c.tenant_id == challenges.c.tenant_id, agents.c.agent_id == challenges.c.agent_id))


def _pending(agent_ids: Sequence[str], connection: sa.Connection) -> Sequence[Any]:
    query = _PENDING.where(challenges.c.agent_id.in_(agent_ids), challenges.c.expires_at > now())
    return connection.execute(query).all()
