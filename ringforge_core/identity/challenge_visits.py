"""The write by which an agent comes in with a signed challenge: the challenge is used up by it, in whichever hub."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from ringforge_core.errors import RingforgeError
from ringforge_core.identity.lookup import select_in
from ringforge_core.identity.registration import AdmittedAgent, Visits, find_by_agent_id
from ringforge_core.identity.signatures import MatchedChallenge, invalid_challenge
from ringforge_core.identity.tables import api_keys, challenges, tenants
from ringforge_core.ports.store import Transaction


class ChallengeVisit(msgspec.Struct, frozen=True):
    """`challenge` was found signed a moment ago; who deletes its row is in."""

    challenge: MatchedChallenge
    at: datetime

    @property
    def tenant_id(self) -> str:
        return self.challenge.tenant_id

    @property
    def agent_id(self) -> str:
        return self.challenge.agent_id


class ProvenAgent(msgspec.Struct, frozen=True):
    """`key_id` is the API key that answers for the agent's public key: it is good."""

    agent: AdmittedAgent
    key_id: str


def admit_challenged(tx: Transaction, commands: Sequence[ChallengeVisit]) -> list[ProvenAgent | RingforgeError]:
    """A challenge lets in one of those who come with it, the first; and is gone, whatever else speaks against the agent."""
    consumed = _consume(tx, commands)
    found = find_by_agent_id(tx, commands)
    good_keys = _good_keys(tx, {row["registered_via_key_id"] for row in found.values()} - {None}, commands[-1].at)
    visits = Visits("challenge")
    results: list[ProvenAgent | RingforgeError] = []
    for command in commands:
        row = found.get((command.tenant_id, command.agent_id))
        is_first = command.challenge.row_id in consumed
        consumed.discard(command.challenge.row_id)
        if row is None or not is_first or row["registered_via_key_id"] not in good_keys:
            results.append(invalid_challenge())
            continue
        agent = visits.admit(row, command.at)
        if isinstance(agent, RingforgeError):
            results.append(invalid_challenge())
        else:
            results.append(ProvenAgent(agent, row["registered_via_key_id"]))
    visits.write(tx)
    return results


def _consume(tx: Transaction, commands: Sequence[ChallengeVisit]) -> set[str]:
    """Delete the challenges; returns those that were there. Of two hubs that try, one deletes."""
    matched = {command.challenge.row_id for command in commands}
    return set(tx.execute(challenges.delete().where(challenges.c.id.in_(matched)).returning(challenges.c.id)).scalars())


def _good_keys(tx: Transaction, key_ids: set[str], at: datetime) -> set[str]:
    query = (
        sa.select(api_keys.c.id)
        .join(tenants, tenants.c.id == api_keys.c.tenant_id)
        .where(
            api_keys.c.revoked_at.is_(None),
            sa.or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > at),
            tenants.c.suspended_at.is_(None),
        )
    )
    return {row["id"] for row in select_in(tx, query, api_keys.c.id, key_ids)}
