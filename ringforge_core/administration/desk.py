"""`plugin.Administration`, put together from identity, limits, audit and the socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec

from ringforge_core.administration.attention import ask_capabilities, read_attention
from ringforge_core.administration.pace import read_pace
from ringforge_core.administration.repeats import once_of
from ringforge_core.audit import read_entries
from ringforge_core.errors import InvalidPayload
from ringforge_core.identity import Actor, Keys, agents, fleets
from ringforge_core.identity.administrators import find_administrator
from ringforge_core.identity.agent_detail import get_agent_detail
from ringforge_core.identity.agents import AgentPatch
from ringforge_core.identity.barring import kick_agent, unblock_agent
from ringforge_core.identity.claim import TEXT
from ringforge_core.identity.fleets import check_fleet, list_fleets
from ringforge_core.identity.ids import now
from ringforge_core.identity.tenants import rename_tenant
from ringforge_core.limits import Quotas, read_usage
from ringforge_core.plugin.administration import DASHBOARD, AdminKey, Operator, Position, Watch
from ringforge_core.plugin.capability import AgentSession, Capability
from ringforge_core.plugin.presences import NobodyPresent, Presences
from ringforge_core.plugin.records import (
    AgentDetail,
    AgentInfo,
    Attention,
    AuditRecord,
    CountedFleet,
    CreatedKey,
    Fleet,
    KeyInfo,
    KeyKind,
    Minute,
    Page,
    PresentAgent,
    RotatedKey,
    Usage,
)
from ringforge_core.ports.store import Store
from ringforge_core.socket.connection import POLICY
from ringforge_core.socket.gateway import Gateway
from ringforge_core.socket.speaking import speak

KICKED = "kicked by the operator"
BLOCKED = "blocked by the operator"
LONGEST_NAME = 100
FleetName = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_NAME, pattern=TEXT)]


class Desk:
    def __init__(self, store: Store, gateway: Gateway, quotas: Quotas) -> None:
        self.presences: Presences = NobodyPresent()
        self.capabilities: Sequence[Capability[Any]] = ()
        self._store = store
        self._gateway = gateway
        self._quotas = quotas
        self._keys = Keys(store)

    async def fleets(self, tenant_id: str) -> Sequence[CountedFleet]:
        found: list[CountedFleet] = []
        cursor: str | None = None
        while True:
            page = await list_fleets(self._store, tenant_id, cursor=cursor)
            found += page.items
            cursor = page.cursor
            if cursor is None:
                return found[::-1]

    async def create_fleet(self, operator: Operator, name: str, *, once: str | None = None) -> Fleet:
        return await fleets.create_fleet(
            self._store, operator.tenant_id, name=_checked(name), actor=_actor(operator),
            once=once_of(operator, "fleet.create", once),
        )  # fmt: skip

    async def rename_fleet(self, operator: Operator, fleet_id: str, name: str) -> Fleet:
        return await fleets.update_fleet(
            self._store, operator.tenant_id, fleet_id, name=_checked(name), actor=_actor(operator)
        )

    async def delete_fleet(self, operator: Operator, fleet_id: str, *, once: str | None = None) -> Fleet:
        return await fleets.delete_fleet(
            self._store, operator.tenant_id, fleet_id, actor=_actor(operator), once=once_of(operator, "fleet.delete", once)
        )

    async def agents(
        self, tenant_id: str, *, fleet_id: str | None = None, search: str = "", cursor: str | None = None, limit: int = 200
    ) -> Page[AgentInfo]:
        return await agents.list_agents(
            self._store, tenant_id, fleet_id=fleet_id, search=search, cursor=cursor, limit=limit
        )

    async def agent_names(self, tenant_id: str, agent_ids: Collection[str]) -> Mapping[str, str]:
        return await agents.read_names(self._store, tenant_id, agent_ids)

    async def agent(self, tenant_id: str, agent_id: str) -> AgentDetail:
        return await get_agent_detail(self._store, tenant_id, agent_id)

    async def rename_agent(self, operator: Operator, agent_id: str, name: str) -> AgentInfo:
        try:
            patch = msgspec.convert({"name": name}, AgentPatch)
        except msgspec.ValidationError as error:
            raise InvalidPayload(
                "An agent's name has 1 to 100 characters, none of them a control.", field="name", fix="Choose another name."
            ) from error
        return await agents.update_agent(self._store, operator.tenant_id, agent_id, patch, actor=_actor(operator))

    async def kick_agent(self, operator: Operator, agent_id: str, *, block: bool) -> None:
        agent = await kick_agent(self._store, operator.tenant_id, agent_id, block=block, actor=_actor(operator))
        reason = BLOCKED if block else KICKED
        self._gateway.pushes.close_agent(agent.agent_id, code=POLICY, reason=reason)

    async def unblock_agent(self, operator: Operator, agent_id: str) -> None:
        await unblock_agent(self._store, operator.tenant_id, agent_id, actor=_actor(operator))

    async def move_agent(self, operator: Operator, agent_id: str, fleet_id: str, *, once: str | None = None) -> AgentInfo:
        moved = await agents.move_agent(
            self._store, operator.tenant_id, agent_id, fleet_id, actor=_actor(operator),
            once=once_of(operator, "agent.move", once),
        )  # fmt: skip
        return moved.agent

    async def delete_agent(self, operator: Operator, agent_id: str, *, once: str | None = None) -> None:
        await agents.delete_agent(
            self._store, operator.tenant_id, agent_id, actor=_actor(operator), once=once_of(operator, "agent.delete", once)
        )

    def present(self, tenant_id: str, fleet_id: str) -> Sequence[PresentAgent]:
        return self.presences.roster_of(fleet_id)

    async def keys(self, tenant_id: str, *, cursor: str | None = None, limit: int = 200) -> Page[KeyInfo]:
        return await self._keys.page(tenant_id, cursor=cursor, limit=limit)

    async def admin_key(self, api_key: str) -> AdminKey:
        holder = await find_administrator(self._store, api_key, address=None)
        return AdminKey(holder.key_id, holder.tenant_id)

    async def create_key(
        self, operator: Operator, *, kind: KeyKind, fleet_id: str | None = None, name: str | None = None,
        expires_at: datetime | None = None, once: str | None = None,
    ) -> CreatedKey:  # fmt: skip
        return await self._keys.create(
            operator.tenant_id, kind=kind, fleet_id=fleet_id, name=name, expires_at=expires_at, actor=_actor(operator),
            once=once_of(operator, "key.create", once),
        )  # fmt: skip

    async def rotate_key(self, operator: Operator, key_id: str, *, grace: timedelta, once: str | None = None) -> RotatedKey:
        return await self._keys.rotate(
            operator.tenant_id, key_id, grace=grace, actor=_actor(operator), once=once_of(operator, "key.rotate", once)
        )

    async def revoke_key(self, operator: Operator, key_id: str) -> None:
        await self._keys.revoke(operator.tenant_id, key_id, actor=_actor(operator))

    async def rename_tenant(self, operator: Operator, name: str) -> None:
        chosen = name.strip()
        if not 1 <= len(chosen) <= LONGEST_NAME or not chosen.isprintable():
            raise InvalidPayload(
                f"A tenant's name has 1 to {LONGEST_NAME} characters, none of them a control.", field="tenant_name",
                fix="Choose another name.",
            )  # fmt: skip
        await rename_tenant(self._store, operator.tenant_id, name=chosen, actor=_actor(operator))

    async def usage(self, tenant_id: str) -> Usage:
        return await read_usage(self._store, self._quotas, tenant_id)

    async def pace(self, tenant_id: str, fleet_id: str) -> Sequence[Minute]:
        await check_fleet(self._store, tenant_id, fleet_id)
        return await self._store.read(lambda connection: read_pace(connection, tenant_id, fleet_id, at=now()))

    async def attention(self, tenant_id: str, fleet_id: str) -> Attention:
        await check_fleet(self._store, tenant_id, fleet_id)
        own = await self._store.read(lambda connection: read_attention(connection, tenant_id, fleet_id, at=now()))
        return Attention(*own, await ask_capabilities(self.capabilities, tenant_id, fleet_id))

    async def audit(
        self, tenant_id: str, *, before_seq: int | None = None, action: str | None = None, limit: int = 50
    ) -> Sequence[AuditRecord]:
        return await read_entries(self._store, tenant_id, before_seq=before_seq, action=action, limit=limit)

    async def say(
        self, operator: Operator, fleet_id: str, event: str, payload: Mapping[str, Any], *, once: str | None = None
    ) -> Any:
        await check_fleet(self._store, operator.tenant_id, fleet_id)
        session = AgentSession(
            session_id=operator.user_id, tenant_id=operator.tenant_id, fleet_id=fleet_id, agent_id=DASHBOARD,
            name=operator.name, key_id=None, method=DASHBOARD, address=operator.address,
        )  # fmt: skip
        return await speak(
            self._gateway.dispatcher, session, event, payload, person=operator.user_id, once=once_of(operator, event, once)
        )

    async def position(self, tenant_id: str, fleet_id: str) -> Position:
        await check_fleet(self._store, tenant_id, fleet_id)
        position = await self._store.position(tenant_id, fleet_id)
        return Position(position.epoch, position.seq)

    @asynccontextmanager
    async def watch(self, tenant_id: str, fleet_id: str, *, after: Position | None = None) -> AsyncIterator[Watch]:
        await check_fleet(self._store, tenant_id, fleet_id)
        gateway = self._gateway
        async with gateway.watchers.watch(gateway.delivery, tenant_id, fleet_id, after) as watcher:
            yield watcher


def _checked(name: str) -> str:
    try:
        return msgspec.convert(name, FleetName)
    except msgspec.ValidationError as error:
        raise InvalidPayload(
            f"A fleet's name has 1 to {LONGEST_NAME} characters, none of them a control.", field="name",
            fix="Choose another name.",
        ) from error  # fmt: skip


def _actor(operator: Operator) -> Actor:
    return Actor("user" if operator.key_id is None else "key", operator.user_id, operator.address)
