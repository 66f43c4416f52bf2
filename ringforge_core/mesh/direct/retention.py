"""Forgets messages that are older than the plan of their tenant keeps them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa

from ringforge_core.identity.ids import now
from ringforge_core.identity.tables import tenants
from ringforge_core.mesh.direct.tables import direct_messages as table
from ringforge_core.plugin.periodic import Periodic
from ringforge_core.ports.store import Store, Transaction

SLICE = 1000
"""Messages that are deleted by one statement."""

_OLDEST = sa.select(sa.func.min(table.c.at)).where(table.c.tenant_id == tenants.c.id).scalar_subquery()


class Forgetting(msgspec.Struct, frozen=True):
    """The messages of a tenant from before an instant."""

    tenant_id: str
    before: datetime


class HistoryRetention(Periodic):
    """`retention_of` tells how long a tenant's messages are kept, `seconds` is how often it looks."""

    def __init__(self, store: Store, retention_of: Callable[[str], Awaitable[timedelta]], *, seconds: float) -> None:
        self._store = store
        self._retention_of = retention_of
        super().__init__("direct-retention", self._forget, seconds)

    async def _forget(self) -> None:
        query = sa.select(tenants.c.id, _OLDEST.label("oldest"))
        for tenant_id, oldest in await self._store.read(lambda connection: connection.execute(query).all()):
            before = now() - await self._retention_of(tenant_id)
            if oldest is not None and oldest < before:
                while await self._store.apply(forget, Forgetting(tenant_id, before)) == SLICE:
                    pass


def forget(tx: Transaction, commands: Sequence[Forgetting]) -> list[int]:
    """Delete up to `SLICE` messages for each command; returns how many."""
    return [
        tx.execute(
            table.delete().where(
                table.c.position.in_(
                    sa.select(table.c.position)
                    .where(table.c.tenant_id == command.tenant_id, table.c.at < command.before)
                    .order_by(table.c.at)
                    .limit(SLICE)
                )
            )
        ).rowcount
        for command in commands
    ]
