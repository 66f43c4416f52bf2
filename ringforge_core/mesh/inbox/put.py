"""Queue parcels: a row for each recipient, in the order in which they were accepted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from ringforge_core.identity.ids import now
from ringforge_core.identity.tables import agents
from ringforge_core.mesh.inbox.letter import Letter, Parcel
from ringforge_core.mesh.inbox.tables import entries, letters
from ringforge_core.ports.store import Transaction

NOT_FOUND, QUEUE_FULL = "not_found", "queue_full"

Address = tuple[str, str, str]
"""Tenant, fleet and agent."""

ADDRESSES_AT_ONCE = 1000
"""How many are bound to one statement: databases limit the variables of one."""

_INSERT_LETTERS = letters.insert()
_INSERT_ENTRIES = entries.insert().inline()


def put(tx: Transaction, parcels: Sequence[Parcel]) -> list[Mapping[str, str]]:
    """Queue each letter for its recipients; returns, for each parcel, the agents that do not get it and why.

    The reason is `not_found` for an agent that is not in the letter's fleet, `queue_full` for one with too much waiting.
    """
    wanted = sorted({address for parcel in parcels for address in _addresses(parcel)})
    known = {address for chunk in _chunks(wanted) for address in _lock(tx, chunk)}
    waiting = Counter(dict(pair for chunk in _chunks(wanted) for pair in _count(tx, chunk)))
    refusals: list[Mapping[str, str]] = []
    letter_rows, entry_rows = [], []
    for parcel in parcels:
        refused: dict[str, str] = {}
        for address in _addresses(parcel):
            if address not in known:
                refused[address[2]] = NOT_FOUND
            elif _waits(parcel, address[2]) and waiting[address] >= parcel.capacity:
                refused[address[2]] = QUEUE_FULL
            else:
                waiting[address] += _waits(parcel, address[2])
                entry_rows.append(_entry_row(parcel, address[2]))
        if len(refused) < len(parcel.recipients):
            letter_rows.append(_letter_row(parcel.letter))
        refusals.append(refused)
    if entry_rows:
        tx.execute(_INSERT_LETTERS, letter_rows)
        tx.execute(_INSERT_ENTRIES, entry_rows)
    return refusals


def _addresses(parcel: Parcel) -> list[Address]:
    letter = parcel.letter
    return [(letter.tenant_id, letter.fleet_id, agent_id) for agent_id in parcel.recipients]


def _waits(parcel: Parcel, agent_id: str) -> bool:
    """False for what is pushed at once and settled a moment later: a busy agent's inbox is not full of that."""
    return parcel.letter.ack or agent_id not in parcel.held


def _chunks(addresses: Sequence[Address]) -> Iterator[Sequence[Address]]:
    for start in range(0, len(addresses), ADDRESSES_AT_ONCE):
        yield addresses[start : start + ADDRESSES_AT_ONCE]


def _lock(tx: Transaction, addresses: Sequence[Address]) -> Iterator[Address]:
    """Which of these agents exist. Until the commit no other hub adds to their inboxes, so the count below is exact."""
    key = (agents.c.tenant_id, agents.c.fleet_id, agents.c.agent_id)
    query = sa.select(*key).where(sa.tuple_(*key).in_(addresses)).order_by(*key).with_for_update(key_share=True)
    return ((row.tenant_id, row.fleet_id, row.agent_id) for row in tx.execute(query))


def _count(tx: Transaction, addresses: Sequence[Address]) -> Iterator[tuple[Address, int]]:
    key = (entries.c.tenant_id, entries.c.fleet_id, entries.c.agent_id)
    is_waiting = sa.or_(entries.c.ack, entries.c.claimed_until.is_(None), entries.c.claimed_until <= now())
    query = sa.select(*key, sa.func.count().label("waiting")).where(sa.tuple_(*key).in_(addresses), is_waiting)
    query = query.group_by(*key)
    return (((row.tenant_id, row.fleet_id, row.agent_id), row.waiting) for row in tx.execute(query))


def _letter_row(letter: Letter) -> dict[str, Any]:
    return {
        "message_id": letter.message_id,
        "tenant_id": letter.tenant_id,
        "fleet_id": letter.fleet_id,
        "push": letter.push,
        "body": bytes(letter.body).decode(),
        "size": len(bytes(letter.body)),
        "receipt_to": letter.receipt_to,
        "at": letter.at,
        "expires_at": letter.expires_at,
    }


def _entry_row(parcel: Parcel, agent_id: str) -> dict[str, Any]:
    held = agent_id in parcel.held
    return {
        "tenant_id": parcel.letter.tenant_id,
        "fleet_id": parcel.letter.fleet_id,
        "agent_id": agent_id,
        "message_id": parcel.letter.message_id,
        "ack": parcel.letter.ack,
        "attempts": 1 if held else 0,
        "claimed_by": parcel.claimer if held else None,
        "claimed_until": parcel.held_until if held else None,
    }
