"""A tenant that comes to be with the person who founds it, in one commit."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import msgspec

from ringforge_core.ports.store import Transaction


class NewTenant(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant with one fleet, on the plan `plan`. `founder_id` is the user who makes it, `address` where from."""

    tenant_id: str
    fleet_id: str
    name: str
    plan: str = "free"
    founder_id: str
    address: str | None
    at: datetime


class FoundTenant(Protocol):
    """How a capability makes a tenant within its own change."""

    def __call__(self, tx: Transaction, tenant: NewTenant) -> None: ...
