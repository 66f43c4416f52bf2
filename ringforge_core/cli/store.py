"""The store for a command that works beside a running hub, and the tenant that the command is about."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import rich_click as click
import sqlalchemy as sa

from ringforge_core.audit import AuditTrail
from ringforge_core.config import Config
from ringforge_core.errors import Conflict, NotFound
from ringforge_core.identity.tables import tenants
from ringforge_core.limits import Quotas
from ringforge_core.logs import configure_logs
from ringforge_core.ports.store import Store
from ringforge_core.store import Bookkeeping, SqlStore

tenant_option = click.option(
    "--tenant", metavar="ID|NAME", help="Whose; may be left out while there is only one tenant."
)  # fmt: skip


@asynccontextmanager
async def opened_store(config: Config, migrations: Sequence[str] = ()) -> AsyncIterator[Store]:
    """`migrations` are those of the capabilities whose tables the command needs."""
    configure_logs("warning", config.log.format)
    bookkeeping = Bookkeeping(Quotas(config.limits), AuditTrail())
    store = SqlStore(config.store.url, settings=config.store, bookkeeping=bookkeeping, migrations=migrations)
    await store.open(exclusive=False)
    try:
        yield store
    finally:
        await store.close()


async def find_tenant(store: Store, given: str | None) -> str:
    """The id of the tenant given by id or name, or of the only one."""
    query = sa.select(tenants.c.id, tenants.c.handle).order_by(tenants.c.inserted_at)
    if given is not None:
        query = query.where(sa.or_(tenants.c.id == given, tenants.c.handle == given))
    found = await store.read(lambda connection: connection.execute(query.limit(10)).all())
    if len(found) == 1:
        return str(found[0].id)
    if given is not None:
        raise NotFound(f'There is no tenant "{given}".', fix="Use its id, or the name that bootstrap gave it.")
    if not found:
        raise NotFound("There is no tenant yet.", fix="Make one: ringforge bootstrap")
    names = ", ".join(row.handle or row.id for row in found)
    raise Conflict("There are several tenants.", fix=f"Name one with --tenant: {names}")
