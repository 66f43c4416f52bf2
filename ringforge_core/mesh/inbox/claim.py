"""Claim what waits for an agent, so that nobody else pushes it, and give back what was not pushed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from ringforge_core.identity.ids import now
from ringforge_core.mesh.inbox.put import Address
from ringforge_core.mesh.inbox.tables import entries, letters
from ringforge_core.ports.store import Transaction

PAGE = 50
"""Letters claimed at once for one agent: at most 5 MB of them are in memory."""

_TAKE = entries.update().where(entries.c.position == sa.bindparam("of_position"))


class Claim(msgspec.Struct, frozen=True):
    """`claimer` is about to push what waits for the agent, except `held`, which it is pushing already.

    With `in_turn` nothing is claimed that is younger than what somebody else has in work: the agent came from there, and
    what it did not get there must come first.
    """

    address: Address
    claimer: str
    visibility: timedelta
    held: frozenset[str]
    in_turn: bool = False


class Claimed(msgspec.Struct, frozen=True):
    message_id: str
    push: str
    body: bytes
    attempt: int
    ack: bool


class ClaimedPage(msgspec.Struct, frozen=True):
    """`must_wait`: somebody else has letters for the agent in work, which come before any younger one."""

    letters: Sequence[Claimed]
    must_wait: bool = False


class Release(msgspec.Struct, frozen=True):
    """Letters that `claimer` will not push after all."""

    address: Address
    claimer: str
    message_ids: tuple[str, ...]


def claim(tx: Transaction, claims: Sequence[Claim]) -> list[ClaimedPage]:
    """The oldest `PAGE` letters that wait for each agent and that nobody else has claimed, oldest first."""
    at = now()
    turns = _turns(tx, claims, at)
    ready = _ready(tx, sorted({each.address for each in claims}), {each.claimer for each in claims}, at)
    taken: set[int] = set()
    picked: list[list[sa.Row[Any]]] = []
    for each, turn in zip(claims, turns, strict=True):
        rows = [row for row in ready.get(each.address, ()) if row.position not in taken and row.message_id not in each.held]
        rows = [row for row in rows if turn is None or row.position < turn][:PAGE]
        picked.append(rows)
        taken.update(row.position for row in rows)
    if taken:
        tx.execute(
            _TAKE,
            [
                {"of_position": row.position, "attempts": row.attempts + 1, "claimed_by": each.claimer,
                 "claimed_until": at + each.visibility}
                for each, rows in zip(claims, picked, strict=True)
                for row in rows
            ],
        )  # fmt: skip
    bodies = _bodies(tx, {row.message_id for rows in picked for row in rows})
    return [
        ClaimedPage([Claimed(row.message_id, row.push, bodies[row.message_id], row.attempts + 1, row.ack) for row in rows],
                    must_wait=turn is not None)
        for rows, turn in zip(picked, turns, strict=True)
    ]  # fmt: skip


def _turns(tx: Transaction, claims: Sequence[Claim], at: datetime) -> list[int | None]:
    """For each claim that is `in_turn`, the position of the oldest letter for its agent that somebody else has in work."""
    addresses = sorted({each.address for each in claims if each.in_turn})
    if not addresses:
        return [None] * len(claims)
    key = (entries.c.tenant_id, entries.c.fleet_id, entries.c.agent_id)
    query = (
        sa.select(*key, entries.c.claimed_by, sa.func.min(entries.c.position).label("oldest"))
        .where(sa.tuple_(*key).in_(addresses), entries.c.claimed_until > at)
        .group_by(*key, entries.c.claimed_by)
    )
    in_work: dict[Address, dict[str, int]] = {}
    for row in tx.execute(query):
        in_work.setdefault((row.tenant_id, row.fleet_id, row.agent_id), {})[row.claimed_by] = row.oldest
    return [
        min((oldest for claimer, oldest in in_work.get(each.address, {}).items() if claimer != each.claimer), default=None)
        if each.in_turn
        else None
        for each in claims
    ]


def release(tx: Transaction, releases: Sequence[Release]) -> list[None]:
    for each in releases:
        tx.execute(
            _give_back().where(
                _is(each.address), entries.c.message_id.in_(each.message_ids), entries.c.claimed_by == each.claimer
            )
        )
    return [None] * len(releases)


def release_node(tx: Transaction, nodes: Sequence[str]) -> list[list[Address]]:
    """Give back what these nodes had claimed when they ended; returns for whom."""
    return [_release_node(tx, node) for node in nodes]


def _release_node(tx: Transaction, node: str) -> list[Address]:
    of_node = _give_back().where(entries.c.claimed_by.startswith(f"{node}/", autoescape=True))
    freed = tx.execute(of_node.returning(entries.c.tenant_id, entries.c.fleet_id, entries.c.agent_id))
    return sorted({(row.tenant_id, row.fleet_id, row.agent_id) for row in freed})


def find_lapsed(connection: sa.Connection, at: datetime, limit: int) -> list[Address]:
    """The agents for whom something was claimed by a node that did not push it in time."""
    query = (
        sa.select(entries.c.tenant_id, entries.c.fleet_id, entries.c.agent_id)
        .where(entries.c.claimed_until <= at)
        .distinct()
        .limit(limit)
    )
    return [(row.tenant_id, row.fleet_id, row.agent_id) for row in connection.execute(query)]


def _ready(
    tx: Transaction, addresses: Sequence[Address], claimers: set[str], at: datetime
) -> dict[Address, list[sa.Row[Any]]]:
    """A claimer may claim its own again: what it has in work it names in `held`, better than any lease could."""
    key = (entries.c.tenant_id, entries.c.fleet_id, entries.c.agent_id)
    free = (
        entries.c.claimed_until.is_(None),
        entries.c.claimed_until <= at,
        entries.c.claimed_by.in_(claimers),
    )
    query = (
        sa.select(entries, letters.c.push)
        .join(letters, letters.c.message_id == entries.c.message_id)
        .where(sa.tuple_(*key).in_(addresses), letters.c.expires_at > at, sa.or_(*free))
        .order_by(entries.c.position)
        .with_for_update(of=entries)
    )
    ready: dict[Address, list[sa.Row[Any]]] = {}
    for row in tx.execute(query):
        ready.setdefault((row.tenant_id, row.fleet_id, row.agent_id), []).append(row)
    return ready


def _bodies(tx: Transaction, message_ids: set[str]) -> dict[str, bytes]:
    if not message_ids:
        return {}
    query = sa.select(letters.c.message_id, letters.c.body).where(letters.c.message_id.in_(sorted(message_ids)))
    return {row.message_id: row.body.encode() for row in tx.execute(query)}


def _give_back() -> sa.Update:
    return entries.update().values(claimed_by=None, claimed_until=None)


def _is(address: Address) -> sa.ColumnElement[bool]:
    tenant_id, fleet_id, agent_id = address
    return sa.and_(entries.c.tenant_id == tenant_id, entries.c.fleet_id == fleet_id, entries.c.agent_id == agent_id)
