from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from ringforge_core.errors import Conflict
from ringforge_core.identity import Admission, AgentClaim, Bootstrap, Credentials, Sessions, new_uuid, now
from ringforge_core.identity.tables import agent_sessions, agents, api_keys, deleted_agents, fleets, tenants
from ringforge_core.plugin.schema import metadata
from ringforge_core.ports.store import Store, Transaction

TABLES = (tenants, fleets, api_keys, agents, deleted_agents, agent_sessions)


def run(transaction: Transaction, statements: Sequence[sa.Executable]) -> list[None]:
    for statement in statements:
        transaction.execute(statement)
    return [None] * len(statements)


async def owners(store: Store, table: sa.Table) -> set[str]:
    return await store.read(lambda connection: set(connection.scalars(sa.select(table.c.tenant_id))))


async def test_the_migration_makes_the_tables_as_they_are_declared(store: Store) -> None:
    names = {table.name for table in TABLES}

    def ours(item: Any, name: str | None, kind: str, _reflected: bool, _other: Any) -> bool:
        return (item if kind == "table" else item.table).name in names

    def compare(connection: sa.Connection) -> Any:
        context = MigrationContext.configure(connection, opts={"include_object": ours, "compare_server_default": True})
        return compare_metadata(context, metadata)

    assert await store.read(compare) == []


@pytest.mark.parametrize("table", [api_keys, agents], ids=["key", "agent"])
async def test_d03_the_database_itself_keeps_tenants_apart(
    store: Store, acme: Bootstrap, globex: Bootstrap, table: sa.Table
) -> None:
    row = {"id": new_uuid(), "tenant_id": acme.tenant_id, "fleet_id": globex.fleet_id, "inserted_at": now()}
    if table is api_keys:
        row |= {"kind": "live", "key_hash": "hash", "key_prefix": "rf_live_xxxx"}
    else:
        row |= {"agent_id": "ag_1", "capabilities": [], "updated_at": now()}
    with pytest.raises(Conflict):
        await store.apply(run, table.insert().values(row))
    await store.apply(run, table.insert().values(row | {"fleet_id": acme.fleet_id}))


async def test_a_fleet_with_agents_stays_until_its_tenant_goes(store: Store, acme: Bootstrap, globex: Bootstrap) -> None:
    for tenant in (acme, globex):
        credentials = Credentials(api_key=tenant.agent_key, agent=AgentClaim(name="scout"))
        await Sessions(store, node="one").open(await Admission(store).admit(credentials, address=None))
    with pytest.raises(Conflict):
        await store.apply(run, fleets.delete().where(fleets.c.id == acme.fleet_id))
    await store.apply(run, tenants.delete().where(tenants.c.id == acme.tenant_id))
    for table in (fleets, api_keys, agents, agent_sessions):
        assert await owners(store, table) == {globex.tenant_id}, table.name
