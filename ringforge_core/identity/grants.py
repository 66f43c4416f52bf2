"""What an admin allows an agent: to administer the tenant's fleets. No agent can grant it to itself."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from ringforge_core.errors import RingforgeError
from ringforge_core.identity.actor import Actor
from ringforge_core.identity.agent_rows import is_agent, no_such_agent
from ringforge_core.identity.tables import agents
from ringforge_core.ports.store import Once, Store, Transaction


class FleetAdminGrant(msgspec.Struct, frozen=True):
    tenant_id: str
    agent_id: str
    granted: bool
    actor: Actor


async def grant_fleet_admin(
    store: Store, tenant_id: str, agent_id: str, *, granted: bool, actor: Actor, once: Once | None = None
) -> None:
    """Allow an agent to administer fleets, or no longer. Raises `NotFound`."""
    await store.apply(_grant, FleetAdminGrant(tenant_id, agent_id, granted, actor), once=once)


async def is_fleet_admin(store: Store, tenant_id: str, agent_id: str) -> bool:
    query = sa.select(agents.c.fleet_admin).where(is_agent(tenant_id, agent_id))
    return bool(await store.read(lambda connection: connection.scalar(query)))


def _grant(tx: Transaction, commands: Sequence[FleetAdminGrant]) -> list[RingforgeError | None]:
    return [_set(tx, command) for command in commands]


def _set(tx: Transaction, command: FleetAdminGrant) -> RingforgeError | None:
    of_agent = is_agent(command.tenant_id, command.agent_id)
    if not tx.execute(agents.update().where(of_agent).values(fleet_admin=command.granted)).rowcount:
        return no_such_agent()
    action = "agent.fleet_admin_granted" if command.granted else "agent.fleet_admin_revoked"
    tx.audit(command.actor.did(action, command.tenant_id, target=("agent", command.agent_id)))
    return None
