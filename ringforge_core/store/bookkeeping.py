"""What a commit does beside the changes: charge them to quotas, enter them in the audit log, see agents off.

The rules of these are not the store's; whoever knows them is handed in when the store is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from ringforge_core.errors import LimitReached
from ringforge_core.ports.store import AuditEntry, Charge, Departure, Transaction
from ringforge_core.store.work import Work


class Account(Protocol):
    """The quotas as one transaction uses them up. It is dropped with a transaction that is rolled back."""

    def load(self, charges: Iterable[Charge]) -> None:
        """Read at once what these charges will ask for."""

    def charge(self, charge: Charge) -> LimitReached | None:
        """Use it up; the refusal when it does not suffice."""

    def settle(self) -> None:
        """Write what was used; may append events and audit entries."""


class Quotas(Protocol):
    def open(self, transaction: Transaction) -> Account: ...


class AuditTrail(Protocol):
    def enter(self, transaction: Transaction, entries: Sequence[AuditEntry]) -> None:
        """Write the entries, in this order."""


SeeOff = Callable[[Transaction, Sequence[Departure]], None]
"""Sees to what agents leave behind that are deleted or moved."""


class Bookkeeping:
    """A store without quotas refuses nothing, one without an audit trail enters nothing."""

    def __init__(
        self, quotas: Quotas | None = None, audit: AuditTrail | None = None, departures: Sequence[SeeOff] = ()
    ) -> None:
        self.quotas = quotas
        self.audit = audit
        self.departures = departures
        self.outbox: str | None = None
        """The name of this hub when its events must be handed to a bus outside of the store."""


def admit(account: Account, works: Sequence[Work]) -> list[Work]:
    """Charge each work in its turn; returns those that may run, the others have their refusal."""
    account.load(charge for work in works for charge in work.charges)
    return [work for work in works if _admit(account, work)]


def give_back(account: Account, works: Sequence[Work], admitted: Sequence[Work]) -> list[Work]:
    """Give back what was charged to works that failed then.

    Returns the works that were refused for want of just that: they must be tried again.
    """
    freed: set[tuple[str, str]] = set()
    for work in admitted:
        if work.error is not None:
            for charge in work.charges:
                _give_back(account, charge)
                freed.add((charge.tenant_id, charge.resource))
    if not freed:
        return []
    running = set(admitted)
    return [
        work
        for work in works
        if work not in running and any((charge.tenant_id, charge.resource) in freed for charge in work.charges)
    ]


def _admit(account: Account, work: Work) -> bool:
    for position, charge in enumerate(work.charges):
        refusal = account.charge(charge)
        if refusal is not None:
            for charged in work.charges[:position]:
                _give_back(account, charged)
            work.error = refusal
            return False
    return True


def _give_back(account: Account, charge: Charge) -> None:
    account.charge(Charge(charge.tenant_id, charge.resource, -charge.amount))
