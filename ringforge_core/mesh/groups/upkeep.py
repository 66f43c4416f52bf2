"""What is done to groups without anybody asking: idle pods end, orphaned groups get an owner, old ones are forgotten.

Candidates are found by reading, of all tenants, and judged again inside the write, where nothing can change meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from ringforge_core.identity.actor import HUB
from ringforge_core.mesh.groups.changes import GroupChanges
from ringforge_core.mesh.groups.membership import end, settle_ownership
from ringforge_core.mesh.groups.rows import is_of_its_fleet
from ringforge_core.mesh.groups.tables import IS_ACTIVE, IS_ACTIVE_POD, group_members, groups
from ringforge_core.ports.store import Transaction

SLICE = 200
"""Groups that one round of the sweeper takes up at once."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A group to be judged at the instant `at`; `before` bounds what counts as idle or old."""

    tenant_id: str
    fleet_id: str
    row_id: str
    before: datetime
    at: datetime


def find_idle_pods(connection: sa.Connection, before: datetime, at: datetime) -> list[Candidate]:
    """Active pods without a message or a change of members since `before`."""
    return _find(connection, sa.and_(IS_ACTIVE_POD, groups.c.active_at < before), before, at)


def find_orphans(connection: sa.Connection, before: datetime, at: datetime) -> list[Candidate]:
    """Active groups without an owner, as the deletion of an agent leaves them behind."""
    owner = _members().where(group_members.c.role == "owner").exists()
    return _find(
        connection,
        sa.and_(IS_ACTIVE, sa.not_(owner), sa.or_(groups.c.created_by.is_not(None), _members().exists())),
        before,
        at,
    )


def find_forgettable(connection: sa.Connection, before: datetime, at: datetime) -> list[Candidate]:
    """Groups that were dissolved before."""
    return _find(connection, groups.c.dissolved_at < before, before, at)


def dissolve_idle(tx: Transaction, candidates: Sequence[Candidate]) -> list[None]:
    changes = _load(tx, candidates)
    for candidate in candidates:
        group = changes.find_row(candidate.tenant_id, candidate.row_id)
        if group is not None and group.status == "active" and group.active_at < candidate.before:
            end(changes, group, None, by=HUB, at=candidate.at)
    changes.write()
    return [None] * len(candidates)


def adopt_orphans(tx: Transaction, candidates: Sequence[Candidate]) -> list[None]:
    changes = _load(tx, candidates)
    for candidate in candidates:
        group = changes.find_row(candidate.tenant_id, candidate.row_id)
        if group is not None:
            settle_ownership(changes, group, at=candidate.at)
    changes.write()
    return [None] * len(candidates)


def forget_groups(tx: Transaction, candidates: Sequence[Candidate]) -> list[None]:
    """With their members; a dissolved group never comes back, so nothing is judged again."""
    for candidate in candidates:
        row = groups.c
        tx.execute(
            groups.delete().where(
                row.tenant_id == candidate.tenant_id, row.fleet_id == candidate.fleet_id, row.id == candidate.row_id
            )
        )
    return [None] * len(candidates)


def _members() -> sa.Select[tuple[str]]:
    """The members of the group that the outer query looks at."""
    return (
        sa.select(group_members.c.agent_id)
        .where(group_members.c.group_row_id == groups.c.id, is_of_its_fleet())
        .correlate(groups)
    )


def _find(connection: sa.Connection, condition: sa.ColumnElement[bool], before: datetime, at: datetime) -> list[Candidate]:
    query = sa.select(groups.c.tenant_id, groups.c.fleet_id, groups.c.id).where(condition).limit(SLICE)
    return [
        Candidate(tenant_id=tenant_id, fleet_id=fleet_id, row_id=row_id, before=before, at=at)
        for tenant_id, fleet_id, row_id in connection.execute(query)
    ]


def _load(tx: Transaction, candidates: Sequence[Candidate]) -> GroupChanges:
    changes = GroupChanges(tx)
    changes.load_rows({candidate.tenant_id for candidate in candidates}, {candidate.row_id for candidate in candidates})
    return changes
