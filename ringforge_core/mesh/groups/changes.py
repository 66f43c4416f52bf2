"""The groups that a batch of commands touches: read and locked at once, changed in memory, written at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa

from ringforge_core.errors import Refused
from ringforge_core.identity.lookup import select_in
from ringforge_core.mesh.groups.group import Group, Membership
from ringforge_core.mesh.groups.messages import Role
from ringforge_core.mesh.groups.rows import group_of, member_row, membership_of, of_fleet
from ringforge_core.mesh.groups.tables import group_departures, group_members, groups
from ringforge_core.ports.store import Transaction

Command = TypeVar("Command")
Result = TypeVar("Result")
Key = tuple[str, str]
"""A group's row id and an agent id."""


def decide_each(decide: Callable[[Command], Result], commands: Sequence[Command]) -> list[Result | Refused]:
    """Decide one command after another. A decision raises before it changes anything, or not at all."""
    results: list[Result | Refused] = []
    for command in commands:
        try:
            results.append(decide(command))
        except Refused as refusal:
            results.append(refusal)
    return results


class GroupChanges:
    """Changes show in the groups at once, so the next command of the batch is decided on them; `write` ends the batch."""

    def __init__(self, tx: Transaction) -> None:
        self.tx = tx
        self._by_row: dict[str, Group] = {}
        self._by_group_id: dict[tuple[str, str, str], Group] = {}
        self._added: dict[Key, Membership] = {}
        self._removed: dict[Key, datetime] = {}
        self._roles: dict[Key, Role] = {}
        self._dissolved: dict[str, tuple[datetime, str]] = {}
        self._touched: dict[str, datetime] = {}

    def load(self, tenant_ids: Iterable[str], group_ids: Collection[str]) -> None:
        """The groups that agents know by these ids."""
        self._load(tenant_ids, groups.c.group_id, group_ids)

    def load_rows(self, tenant_ids: Iterable[str], row_ids: Collection[str]) -> None:
        """The groups of these UUIDs."""
        self._load(tenant_ids, groups.c.id, row_ids)

    def find(self, tenant_id: str, fleet_id: str, group_id: str) -> Group | None:
        """A loaded group of this fleet, by the id that agents know."""
        return self._by_group_id.get((tenant_id, fleet_id, group_id))

    def find_row(self, tenant_id: str, row_id: str) -> Group | None:
        """A loaded group of this tenant, by its UUID."""
        group = self._by_row.get(row_id)
        return group if group is not None and group.tenant_id == tenant_id else None

    def loaded(self) -> Iterable[Group]:
        return self._by_row.values()

    def add(self, group: Group, agent_id: str, role: Role, at: datetime) -> None:
        member = group.members[agent_id] = Membership(agent_id, role, at)
        self._added[group.id, agent_id] = member
        self.touch(group, at)

    def remove(self, group: Group, agent_id: str, at: datetime) -> None:
        """Also takes away the row of an agent that was moved to another fleet, and so is no member already."""
        group.members.pop(agent_id, None)
        self._added.pop((group.id, agent_id), None)
        self._roles.pop((group.id, agent_id), None)
        self._removed[group.id, agent_id] = at
        self.touch(group, at)

    def set_role(self, group: Group, agent_id: str, role: Role) -> None:
        group.members[agent_id].role = role
        if (group.id, agent_id) not in self._added:
            self._roles[group.id, agent_id] = role

    def dissolve(self, group: Group, result: msgspec.Raw, at: datetime) -> None:
        group.status = "dissolved"
        self._dissolved[group.id] = at, bytes(result).decode()

    def touch(self, group: Group, at: datetime) -> None:
        """The group is alive: an idle pod's time begins again."""
        group.active_at = max(group.active_at, at)
        self._touched[group.id] = group.active_at

    def write(self) -> None:
        """Every table once, and rows in one order on every hub, so that none deadlock."""
        self._run(_REMOVE, [{"of_group": group, "of_agent": agent} for group, agent in sorted(self._removed)])
        self._run(_ADD, [self._member_row(key) for key in sorted(self._added)])
        self._run(
            _SET_ROLE,
            [
                {"of_group": group, "of_agent": agent, "new_role": role}
                for (group, agent), role in sorted(self._roles.items())
            ],
        )
        self._run(_TOUCH, [{"of_group": row_id, "at": at} for row_id, at in sorted(self._touched.items())])
        self._run(
            _DISSOLVE,
            [
                {"of_group": row_id, "at": at, "new_result": result}
                for row_id, (at, result) in sorted(self._dissolved.items())
            ],
        )
        self._write_departures()

    def _write_departures(self) -> None:
        """Only groups that take everybody in must know who left."""
        changed = [key for key in sorted({**self._removed, **self._added}) if self._by_row[key[0]].auto_join]
        self._run(_RETURN, [{"of_group": group, "of_agent": agent} for group, agent in changed])
        self._run(_DEPART, [self._departure_row(key) for key in changed if key not in self._added])

    def _run(self, statement: sa.Executable, rows: list[dict[str, Any]]) -> None:
        if rows:
            self.tx.execute(statement, rows)

    def _load(self, tenant_ids: Iterable[str], column: sa.Column[Any], ids: Collection[str]) -> None:
        tenants = set(tenant_ids)
        locked = sa.select(groups).where(groups.c.tenant_id.in_(tenants)).order_by(groups.c.id).with_for_update()
        for row in select_in(self.tx, locked, column, set(ids)):
            group = self._by_row[row["id"]] = group_of(row)
            self._by_group_id[group.tenant_id, group.fleet_id, group.group_id] = group
        for row in select_in(self.tx, of_fleet(tenants), group_members.c.group_row_id, self._by_row):
            self._by_row[row["group_row_id"]].members[row["agent_id"]] = membership_of(row)

    def _member_row(self, key: Key) -> dict[str, Any]:
        group, member = self._by_row[key[0]], self._added[key]
        return member_row(group, member)

    def _departure_row(self, key: Key) -> dict[str, Any]:
        group = self._by_row[key[0]]
        return {
            "group_row_id": group.id,
            "agent_id": key[1],
            "tenant_id": group.tenant_id,
            "fleet_id": group.fleet_id,
            "left_at": self._removed[key],
        }


def _is_member(table: sa.Table) -> tuple[sa.ColumnElement[bool], ...]:
    return table.c.group_row_id == sa.bindparam("of_group"), table.c.agent_id == sa.bindparam("of_agent")


_ADD = group_members.insert()
_REMOVE = group_members.delete().where(*_is_member(group_members))
_SET_ROLE = group_members.update().where(*_is_member(group_members)).values(role=sa.bindparam("new_role"))
_TOUCH = groups.update().where(groups.c.id == sa.bindparam("of_group")).values(active_at=sa.bindparam("at"))
_DISSOLVE = (
    groups.update()
    .where(groups.c.id == sa.bindparam("of_group"))
    .values(status="dissolved", dissolved_at=sa.bindparam("at"), result=sa.bindparam("new_result"))
)
_DEPART = group_departures.insert()
_RETURN = group_departures.delete().where(*_is_member(group_departures))
