"""A tenant that a person founds: with a fleet, and no keys yet."""

from __future__ import annotations

from ringforge_core.identity.actor import Actor
from ringforge_core.identity.tables import fleets, tenants
from ringforge_core.identity.verified_keys import DEFAULT_FLEET
from ringforge_core.plugin.tenancy import NewTenant
from ringforge_core.ports.store import Transaction


def found_tenant(tx: Transaction, tenant: NewTenant) -> None:
    """Part of a change of whoever knows the founder; see `plugin.FoundTenant`."""
    stamps = {"inserted_at": tenant.at, "updated_at": tenant.at}
    tx.execute(tenants.insert(), {"id": tenant.tenant_id, "name": tenant.name, "plan": tenant.plan, **stamps})
    tx.execute(fleets.insert(), {"id": tenant.fleet_id, "tenant_id": tenant.tenant_id, "name": DEFAULT_FLEET, **stamps})
    founder = Actor("user", tenant.founder_id, tenant.address)
    tx.audit(founder.did("tenant.registered", tenant.tenant_id, target=("tenant", tenant.tenant_id), name=tenant.name))
