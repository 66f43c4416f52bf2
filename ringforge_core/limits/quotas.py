"""Quotas, exact under concurrency: the counters are read, decided on and written in the transaction of the change itself.

The row of a limited counter is locked from its reading to the commit, so hubs on one PostgreSQL take turns; on SQLite there
is one writer at a time anyway. An unlimited counter is not read at all, only added to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert  # its `on_conflict` clauses are valid SQLite as well

from ringforge_core.errors import LimitReached, PluginError
from ringforge_core.limits.counter import Counter
from ringforge_core.limits.plans import DAILY, RESOURCES, Plan
from ringforge_core.limits.recount import BEGIN, Counts, recount_in
from ringforge_core.limits.settings import LimitsSettings
from ringforge_core.limits.tables import agent_sessions, fleets, quota_counters, tenants
from ringforge_core.limits.warnings import QuotaWarning, warning_event
from ringforge_core.ports.store import AuditEntry, Charge, Transaction

Clock = Callable[[], datetime]
Key = tuple[str, str]

_TENANTS: sa.BindParameter[Any] = sa.bindparam("tenant_ids", expanding=True)
_PLANS = sa.select(tenants.c.id, tenants.c.plan).where(tenants.c.id.in_(_TENANTS))
COUNTERS = (
    sa.select(quota_counters)
    .where(quota_counters.c.tenant_id.in_(_TENANTS), quota_counters.c.window.in_(["", sa.bindparam("today")]))
    .order_by(quota_counters.c.tenant_id, quota_counters.c.resource, quota_counters.c.window)  # one order: no deadlocks
)
_LOCKED = COUNTERS.with_for_update()
_insert = insert(quota_counters)
_ADD = _insert.on_conflict_do_update(
    index_elements=["tenant_id", "resource", "window"],
    set_={"used": quota_counters.c.used + _insert.excluded.used, "warned": _insert.excluded.warned},
)
MEASURED: Mapping[str, sa.Select[tuple[str, int]]] = {
    "connected_agents": (
        sa.select(agent_sessions.c.tenant_id, sa.func.count(agent_sessions.c.agent_id.distinct()).label("used"))
        .where(agent_sessions.c.disconnected_at.is_(None), agent_sessions.c.tenant_id.in_(_TENANTS))
        .group_by(agent_sessions.c.tenant_id)
    ),
    "fleets": (
        sa.select(fleets.c.tenant_id, sa.func.count().label("used"))
        .where(fleets.c.tenant_id.in_(_TENANTS))
        .group_by(fleets.c.tenant_id)
    ),
}
"""What is used of these is looked up, not counted, so no crash can make it wrong: charge for one before you insert it.
Their rows hold only what the tenant was told."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class Quotas:
    """The rules of one hub; `clock` tells the present instant, whose date is the window of a daily quota.

    `counted` are the resources that capabilities keep in tables. With a fleet go its rows: then they are counted anew.
    """

    def __init__(self, settings: LimitsSettings, *, clock: Clock = utc_now) -> None:
        self.settings = settings
        self.counted: Counts = {}
        self._clock = clock

    def open(self, transaction: Transaction) -> Account:
        """The quotas as this transaction uses them up."""
        return Account(transaction, self, self._clock())

    def today(self) -> str:
        """The window of a daily quota."""
        return self._clock().date().isoformat()


class Account:
    """The counters that one transaction has touched so far. An unknown tenant is on the plan free."""

    def __init__(self, transaction: Transaction, quotas: Quotas, at: datetime) -> None:
        self._transaction = transaction
        self._settings = quotas.settings
        self._counted = quotas.counted
        self._at = at
        self._today = at.date().isoformat()
        self._plans: dict[str, Plan] = {}
        self._counters: dict[Key, Counter] = {}

    def load(self, charges: Iterable[Charge]) -> None:
        """Read, and lock, at once what these charges will ask for."""
        wanted = {(charge.tenant_id, charge.resource) for charge in charges} - self._counters.keys()
        if not wanted:
            return
        self._load_plans({tenant_id for tenant_id, _ in wanted})
        limited = set()
        for tenant_id, resource in wanted:
            if resource not in RESOURCES:
                raise PluginError(f"There is no quota {resource!r}.", fix=f"Count one of: {', '.join(RESOURCES)}.")
            if self._plans[tenant_id].limit(resource) is None:
                self._put(tenant_id, resource)
            else:
                limited.add((tenant_id, resource))
        if limited:
            self._load_limited(limited)

    def charge(self, charge: Charge) -> LimitReached | None:
        """Use it up; the refusal when it does not suffice."""
        counter = self._counters.get((charge.tenant_id, charge.resource))
        if counter is None:
            self.load([charge])
            counter = self._counters[charge.tenant_id, charge.resource]
        return counter.use(charge.amount)

    def settle(self) -> None:
        """Write what was used, and tell the tenants whose quotas are nearly or quite used up."""
        for counter in self._counters.values():
            if news := counter.news():
                self._warn(counter, news)
            if counter.first_refusal:
                self._note_refusal(counter)
        rows = [self._row(counter) for key, counter in sorted(self._counters.items()) if counter.changed]
        if rows:
            self._transaction.execute(_ADD, rows)
        shrunk = {
            counter.tenant_id for counter in self._counters.values() if counter.resource == "fleets" and counter.freed
        }
        if shrunk:
            recount_in(self._transaction, self._counted, shrunk)

    def _load_plans(self, tenant_ids: set[str]) -> None:
        missing = sorted(tenant_ids - self._plans.keys())
        if missing:
            names = {row.id: row.plan for row in self._transaction.execute(_PLANS, {"tenant_ids": missing})}
            self._plans.update((tenant_id, self._settings.plan(names.get(tenant_id))) for tenant_id in missing)

    def _load_limited(self, wanted: set[Key]) -> None:
        values = {"tenant_ids": sorted({tenant_id for tenant_id, _ in wanted}), "today": self._today}
        rows = self._read(values)
        if missing := sorted(wanted - rows.keys()):
            begun = [self._key(*key) | {"used": 0, "warned": 0} for key in missing]
            self._transaction.execute(BEGIN, begun)
            rows = self._read(values)  # once more: another hub may have begun them, and used something
        measured = self._measure({resource for _, resource in wanted} & MEASURED.keys(), values)
        for tenant_id, resource in wanted:
            used, told = rows[tenant_id, resource]
            if resource in MEASURED:
                used = measured[resource].get(tenant_id, 0)
            self._put(tenant_id, resource, used=used, told=told)

    def _read(self, values: Mapping[str, Any]) -> dict[Key, tuple[int, int]]:
        found = self._transaction.execute(_LOCKED, values)
        return {
            (row.tenant_id, row.resource): (row.used, row.warned)
            for row in found
            if row.window == self._window(row.resource)
        }

    def _measure(self, resources: set[str], values: Mapping[str, Any]) -> dict[str, dict[str, int]]:
        tenant_ids = {"tenant_ids": values["tenant_ids"]}
        return {
            name: {row.tenant_id: row.used for row in self._transaction.execute(MEASURED[name], tenant_ids)}
            for name in resources
        }

    def _put(self, tenant_id: str, resource: str, *, used: int = 0, told: int = 0) -> None:
        limit = self._plans[tenant_id].limit(resource)
        window = self._window(resource)
        self._counters[tenant_id, resource] = Counter(tenant_id, resource, window=window, limit=limit, used=used, told=told)

    def _window(self, resource: str) -> str:
        return self._today if resource in DAILY else ""

    def _key(self, tenant_id: str, resource: str) -> dict[str, Any]:
        return {"tenant_id": tenant_id, "resource": resource, "window": self._window(resource)}

    def _row(self, counter: Counter) -> dict[str, Any]:
        added = 0 if counter.resource in MEASURED else counter.added
        return self._key(counter.tenant_id, counter.resource) | {"used": added, "warned": counter.told}

    def _warn(self, counter: Counter, news: Sequence[int]) -> None:
        own = sa.select(fleets.c.id).where(fleets.c.tenant_id == counter.tenant_id).order_by(fleets.c.id)
        fleet_ids = self._transaction.execute(own).scalars().all()
        for used in news:
            warning = QuotaWarning(
                resource=counter.resource, used=used, limit=counter.limit or 0, resets_at=counter.resets_at or msgspec.UNSET
            )
            for fleet_id in fleet_ids:
                event = warning_event(warning, tenant_id=counter.tenant_id, fleet_id=fleet_id, at=self._at)
                self._transaction.append(event)

    def _note_refusal(self, counter: Counter) -> None:
        self._transaction.audit(
            AuditEntry(
                tenant_id=counter.tenant_id, action="quota.exceeded", actor_type="system", actor_id="hub",
                target_type="quota", target_id=counter.resource,
                metadata={"limit": counter.limit, "used": counter.used, "window": counter.window},
            )
        )  # fmt: skip
