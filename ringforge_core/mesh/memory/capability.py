"""The rules of the shared memory."""

from __future__ import annotations

import re
from collections.abc import Coroutine, Iterable
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import UNSET

from ringforge_core.errors import LimitReached
from ringforge_core.identity.ids import new_event_id, now
from ringforge_core.mesh.memory.cache import EntryCache
from ringforge_core.mesh.memory.databases import MemoryDatabase, memory_database
from ringforge_core.mesh.memory.indexing import Indexer
from ringforge_core.mesh.memory.messages import (
    METADATA_BYTES,
    PRINTABLE,
    VALUE_BYTES,
    DeleteMemory,
    GetMemory,
    GetMemoryHistory,
    ListMemory,
    MemoryChanged,
    MemoryDeleted,
    MemoryEntry,
    MemoryHistory,
    MemoryList,
    MemoryQuery,
    MemorySet,
    MemorySubscribed,
    MemoryUnsubscribed,
    QueryMemory,
    SetMemory,
    SubscribeMemory,
    UnsubscribeMemory,
)
from ringforge_core.mesh.memory.patterns import covers_many
from ringforge_core.mesh.memory.queries import Page, Search, find_entry, find_history, find_page
from ringforge_core.mesh.memory.settings import MemorySettings
from ringforge_core.mesh.memory.stored import wire_entry
from ringforge_core.mesh.memory.subscriptions import Subscriptions
from ringforge_core.mesh.memory.sweeper import Sweeper
from ringforge_core.mesh.memory.tables import LIVING_BY_TENANT
from ringforge_core.mesh.memory.words import words_of
from ringforge_core.mesh.memory.writes import RESOURCE, TOPIC, Command, DeleteEntry, MemoryWrites, SetEntry, no_entry
from ringforge_core.plugin import AgentSession, Call, Capability, Hub, encode_payload, event
from ringforge_core.plugin.schema import microseconds
from ringforge_core.ports.event_bus import Event, TopicKind

RATE = "50/minute"


class MemoryCapability(Capability[MemorySettings]):
    name = "memory"
    settings_type = MemorySettings
    pushes = (MemoryChanged,)
    topics = (TopicKind(TOPIC, partitions=3, compacted=True),)
    migrations = "ringforge_core.mesh.memory.migrations"

    counted = MappingProxyType({RESOURCE: LIVING_BY_TENANT})

    def __init__(self, hub: Hub, settings: MemorySettings) -> None:
        super().__init__(hub, settings)
        self._cache = EntryCache(settings.cache_bytes)
        self._subscriptions = Subscriptions(hub.store)
        self._database: MemoryDatabase
        self._writes: MemoryWrites
        self._indexer: Indexer
        self._sweeper: Sweeper
        hub.store.on_commit(self._cache.changed)

    async def start(self) -> None:
        store = self.hub.store
        self._database = memory_database(await store.read(lambda connection: connection.dialect.name))
        self._writes = MemoryWrites(self._database)
        self._indexer = Indexer(store, self._database)
        self._sweeper = Sweeper(store, self._database, self._writes, self._indexer, self._cache.readings, self.settings)
        await self._subscriptions.load()
        await self._sweeper.start()

    async def stop(self) -> None:
        await self._sweeper.stop()

    def on_fleet_opened(self, fleet_id: str) -> None:
        if self.hub.store.shared:
            self._cache.forget(fleet_id)

    def heard(self, event: Event) -> None:
        self._cache.changed_elsewhere(event)

    def recipients(self, event: Event) -> Iterable[str]:
        return self._subscriptions.interested(event)

    @event("memory:set", rate=RATE, idempotent=True)
    async def set(self, call: Call, request: SetMemory) -> MemorySet:
        """Keep a value under a key, for the whole fleet."""
        command = _set_entry(call.agent, request)
        reply: MemorySet = await self._apply(call, command)
        if command.written is not None:
            self._cache.written(command.event_id, command.written)
        return reply

    @event("memory:get", reply=MemoryEntry)
    def get(self, call: Call, request: GetMemory) -> msgspec.Raw | Coroutine[Any, Any, msgspec.Raw]:
        """Read an entry."""
        reply = self._cache.read(call.agent.fleet_id, request.key)
        return self._read(call.agent, request.key) if reply is None else msgspec.Raw(reply)

    @event("memory:delete", rate=RATE, idempotent=True)
    async def delete(self, call: Call, request: DeleteMemory) -> MemoryDeleted:
        """Delete an entry."""
        agent = call.agent
        command = DeleteEntry(agent.tenant_id, agent.fleet_id, request.key, agent.agent_id, request.if_version)
        reply: MemoryDeleted = await self._apply(call, command)
        return reply

    @event("memory:list")
    async def list(self, call: Call, request: ListMemory) -> MemoryList:
        """A page of the fleet's entries, the newest change first."""
        page = await self._find(
            Search(
                tenant_id=call.agent.tenant_id,
                fleet_id=call.agent.fleet_id,
                at=microseconds(now()),
                tags=request.tags,
                author=request.author,
                limit=request.limit,
                offset=request.offset,
            )
        )
        entries = [wire_entry(entry) for entry in page.entries]
        return MemoryList(entries=entries, count=len(entries), total=page.total)

    @event("memory:query")
    async def query(self, call: Call, request: QueryMemory) -> MemoryQuery:
        """Find entries by their words, tags, author and age."""
        if request.text_search:
            await self._indexer.index_fleet(call.agent.tenant_id, call.agent.fleet_id)
        page = await self._find(
            Search(
                tenant_id=call.agent.tenant_id,
                fleet_id=call.agent.fleet_id,
                at=microseconds(now()),
                tags=request.tags,
                author=request.author,
                since=_microseconds(request.since),
                words=words_of(request.text_search) if request.text_search else None,
                sort=request.sort,
                limit=request.limit,
            )
        )
        entries = [wire_entry(entry) for entry in page.entries]
        return MemoryQuery(entries=entries, count=len(entries), total=page.total)

    @event("memory:history")
    async def history(self, call: Call, request: GetMemoryHistory) -> MemoryHistory:
        """What an entry was before, and who changed it; of a deleted one too."""
        agent = call.agent
        versions = await self.hub.store.read(
            lambda connection: find_history(connection, agent.tenant_id, agent.fleet_id, request.key, request.limit)
        )
        if not versions:
            raise no_entry()
        return MemoryHistory(key=request.key, versions=versions, count=len(versions))

    @event("memory:subscribe", idempotent=True)
    async def subscribe(self, call: Call, request: SubscribeMemory) -> MemorySubscribed:
        """Follow the keys of a pattern, also after a reconnect: each change is pushed to you once."""
        await self._subscriptions.subscribe(call.agent, request.pattern, request.events, once=call.once)
        part = "_all" if covers_many(request.pattern) else request.pattern
        return MemorySubscribed(subscribed=request.pattern, topic=f"memory:{call.agent.fleet_id}:{part}")

    @event("memory:unsubscribe", idempotent=True)
    async def unsubscribe(self, call: Call, request: UnsubscribeMemory) -> MemoryUnsubscribed:
        """Cease to follow the keys of a pattern."""
        await self._subscriptions.unsubscribe(call.agent, request.pattern, once=call.once)
        return MemoryUnsubscribed(unsubscribed=request.pattern)

    async def _apply(self, call: Call, command: Command) -> Any:
        return await self.hub.store.apply(self._writes.run, command, once=call.once, charges=call.charges)

    async def _read(self, agent: AgentSession, key: str) -> msgspec.Raw:
        if re.search(PRINTABLE, key) is None:
            raise no_entry()
        expected = self._cache.expect(agent.fleet_id, key)
        entry = await self.hub.store.read(
            lambda connection: find_entry(connection, agent.tenant_id, agent.fleet_id, key, microseconds(now()))
        )
        return msgspec.Raw(self._cache.fill(expected, entry))

    async def _find(self, search: Search) -> Page:
        return await self.hub.store.read(lambda connection: find_page(connection, self._database, search))


def _set_entry(agent: AgentSession, request: SetMemory) -> SetEntry:
    value = None if request.value is UNSET else bytes(request.value)
    metadata = None if request.metadata is UNSET else bytes(encode_payload(request.metadata))
    for field, text, limit in (("value", value, VALUE_BYTES), ("metadata", metadata, METADATA_BYTES)):
        if text is not None and len(text) > limit:
            raise LimitReached(
                f"{field} is larger than {limit} bytes as JSON.",
                reason="payload_too_large",
                field=field,
                fix="Share large data as a file and keep a reference to it.",
            )
    return SetEntry(
        tenant_id=agent.tenant_id,
        fleet_id=agent.fleet_id,
        key=request.key,
        author=agent.agent_id,
        event_id=new_event_id(),
        value=None if value is None else value.decode(),
        type=None if request.type is UNSET else request.type,
        tags=None if request.tags is UNSET else bytes(encode_payload(list(dict.fromkeys(request.tags)))).decode(),
        metadata=None if metadata is None else metadata.decode(),
        ttl=request.ttl,
        if_version=request.if_version,
    )


def _microseconds(at: datetime | None) -> int | None:
    """An instant is in UTC if it names no zone."""
    if at is None:
        return None
    return microseconds(at if at.tzinfo is not None else at.replace(tzinfo=UTC))
