"""What an operator should know of a tenant itself: who is barred, which keys end soon. The rest the capabilities tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog

from ringforge_core.identity.agent_rows import info_of, select_agents
from ringforge_core.identity.keys import select_unrevoked
from ringforge_core.identity.tables import agents, api_keys
from ringforge_core.plugin.capability import Capability
from ringforge_core.plugin.records import AgentInfo, Concern, KeyInfo

ENDS_SOON = timedelta(days=7)
SHOWN = 10

log = structlog.get_logger(__name__)


def read_attention(
    connection: sa.Connection, tenant_id: str, fleet_id: str, *, at: datetime
) -> tuple[Sequence[AgentInfo], Sequence[KeyInfo]]:
    """The fleet's agents that are barred, and the tenant's keys that end soon."""
    return _blocked(connection, tenant_id, fleet_id), _ending_keys(connection, tenant_id, at)


def _blocked(connection: sa.Connection, tenant_id: str, fleet_id: str) -> Sequence[AgentInfo]:
    query = select_agents(tenant_id).where(agents.c.fleet_id == fleet_id, agents.c.disabled_at.is_not(None))
    found = connection.execute(query.order_by(agents.c.disabled_at.desc()).limit(SHOWN)).mappings()
    return [info_of(row) for row in found]


def _ending_keys(connection: sa.Connection, tenant_id: str, at: datetime) -> Sequence[KeyInfo]:
    soon = api_keys.c.expires_at.between(at, at + ENDS_SOON)
    query = select_unrevoked(tenant_id).where(soon).order_by(api_keys.c.expires_at).limit(SHOWN)
    return [KeyInfo(**row) for row in connection.execute(query).mappings()]


async def ask_capabilities(parts: Iterable[Capability[Any]], tenant_id: str, fleet_id: str) -> list[Concern]:
    """What each tells; of one that fails, just that: silence would look as if all were well."""
    return [concern for part in parts for concern in await _ask(part, tenant_id, fleet_id)]


async def _ask(part: Capability[Any], tenant_id: str, fleet_id: str) -> Sequence[Concern]:
    try:
        return await part.attention(tenant_id, fleet_id)
    except Exception:
        log.exception("attention_failed", capability=part.name)
        return [Concern(kind="attention_failed", title=part.name, text="cannot tell now: the hub's log says why")]
