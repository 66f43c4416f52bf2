"""The rules of the inbox, and what it offers to other capabilities."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, cast

from cachetools import LRUCache

from ringforge_core.errors import NotFound, PluginError
from ringforge_core.identity.ids import now
from ringforge_core.identity.repeatable import apply_once
from ringforge_core.mesh.inbox.attention import read_waiting
from ringforge_core.mesh.inbox.claim import release_node
from ringforge_core.mesh.inbox.courier import Courier
from ringforge_core.mesh.inbox.letter import Letter, Parcel
from ringforge_core.mesh.inbox.messages import (
    RECEIPTS,
    Acknowledged,
    AcknowledgeMessage,
    GetQueued,
    QueuedMessages,
    Receipt,
)
from ringforge_core.mesh.inbox.put import Address
from ringforge_core.mesh.inbox.queued import read_queued
from ringforge_core.mesh.inbox.settings import InboxSettings
from ringforge_core.mesh.inbox.settle import Settlement, settle
from ringforge_core.mesh.inbox.sweeper import Sweeper
from ringforge_core.plugin import Call, Capability, Concern, Hub, Member, event
from ringforge_core.ports.event_bus import Event, TopicKind

REMEMBERED = 100_000
"""Messages known to be of this hub; one that is forgotten costs a needless look into the database."""
HAND_OVER_SECONDS = 0.5
"""How long a sender waits to hear that its message was pushed, when others were queued before it."""


class InboxCapability(Capability[InboxSettings]):
    name = "inbox"
    settings_type = InboxSettings
    pushes = (Receipt,)
    topics = (TopicKind(RECEIPTS, partitions=3),)
    migrations = "ringforge_core.mesh.inbox.migrations"

    def __init__(self, hub: Hub, settings: InboxSettings) -> None:
        super().__init__(hub, settings)
        self._courier = Courier(hub.store, node=hub.node, visibility=timedelta(seconds=settings.visibility_seconds))
        self._sweeper = Sweeper(hub.store, self._courier.wake, seconds=settings.sweep_seconds)
        self._underway: set[str] = set()
        """Those that were neither delivered nor given up."""
        self._own: LRUCache[str, None] = LRUCache(REMEMBERED)
        """The messages that this hub delivers by itself."""

    async def start(self) -> None:
        self.hub.nodes.on_gone(self._release)
        await self._release(self.hub.node)
        self._courier.start()
        await self._sweeper.start()

    async def stop(self) -> None:
        await self._sweeper.stop()
        await self._courier.stop()

    async def _release(self, node: str) -> None:
        """What a hub that is gone had claimed is free for the others; those who wait for it are looked after."""
        if freed := await self.hub.store.apply(release_node, node):
            self._courier.free(freed)

    async def on_join(self, member: Member, fields: Any) -> None:
        self._courier.join(member)

    def on_leave(self, member: Member) -> None:
        self._courier.leave(member)

    async def attention(self, tenant_id: str, fleet_id: str) -> Sequence[Concern]:
        return await self.hub.store.read(lambda connection: read_waiting(connection, tenant_id, fleet_id, at=now()))

    @event("message:queued")
    async def queued(self, call: Call, request: GetQueued) -> QueuedMessages:
        """What waits for you, oldest first; it stays there."""
        address = (call.agent.tenant_id, call.agent.fleet_id, call.agent.agent_id)
        messages, total = await self.hub.store.read(
            lambda connection: read_queued(connection, address, at=now(), limit=request.limit)
        )
        return QueuedMessages(messages=cast("list[dict[str, Any]]", messages), count=len(messages), total=total)

    @event("message:ack", idempotent=True)
    async def acknowledge(self, call: Call, request: AcknowledgeMessage) -> Acknowledged:
        """You have taken charge of a message that was sent with `ack`: it will not be sent to you again."""
        agent = call.agent
        settlements = [Settlement(agent.tenant_id, agent.fleet_id, agent.agent_id, request.message_id)]
        if not await apply_once(self.hub.store, settle, settlements, int, once=call.once):
            raise NotFound(
                "No such message waits for you.", field="message_id",
                fix="It was acknowledged before, has expired, or needs no acknowledgement: there is nothing to do.",
            )  # fmt: skip
        self._courier.let_go((agent.tenant_id, agent.fleet_id, agent.agent_id), request.message_id)
        return Acknowledged()

    # --- for other capabilities ---------------------------------------------------------------------------------

    @contextmanager
    def parcel(self, letter: Letter, recipients: Collection[str]) -> Iterator[Parcel]:
        """Make a parcel to be written by `put` and then handed to `deliver`, both within the `with`."""
        held = frozenset(
            agent_id for agent_id in recipients if self._courier.hold(_address(letter, agent_id), letter.message_id)
        )
        parcel = Parcel(
            letter=letter,
            recipients=tuple(recipients),
            held=held,
            claimer=self._courier.claimer,
            held_until=letter.at + self._courier.visibility,
            capacity=self.settings.capacity,
        )
        self._own[letter.message_id] = None
        self._underway.add(letter.message_id)
        try:
            yield parcel
        finally:
            if letter.message_id in self._underway:  # refused, a repeat, or the caller gave up waiting
                self._underway.remove(letter.message_id)
                for agent_id in held:
                    self._courier.let_go(_address(letter, agent_id), letter.message_id)
                self._courier.wake(_address(letter, agent_id) for agent_id in recipients)

    async def deliver(self, parcel: Parcel, refused: Mapping[str, str] | None = None) -> frozenset[str]:
        """Push a committed parcel to those recipients that are connected here; returns whom it was handed to.

        `refused` is what `put` returned for it. The others get it when they join, or from the node they are at.
        """
        letter = parcel.letter
        self._underway.discard(letter.message_id)
        handed, expected = set(), {}
        for agent_id in parcel.recipients:
            address = _address(letter, agent_id)
            if refused and agent_id in refused:
                self._courier.let_go(address, letter.message_id)
            elif agent_id in parcel.held and self._courier.push_held(address, letter):
                handed.add(agent_id)
            elif (waiter := self._courier.expect(address, letter.message_id)) is not None:
                expected[agent_id] = waiter
        if expected:
            await asyncio.wait(expected.values(), timeout=HAND_OVER_SECONDS)
            handed |= {agent_id for agent_id, waiter in expected.items() if waiter.done()}
            for agent_id in expected.keys() - handed:
                self._courier.expect_no_more(_address(letter, agent_id), letter.message_id)
        return frozenset(handed)

    def heard_of(self, event: Event) -> None:
        """An event that tells of a letter: those that other hubs accepted are looked for."""
        if event.event_id not in self._own:
            self._courier.wake((event.tenant_id, event.fleet_id, agent_id) for agent_id in event.audience.agents or ())


def inbox_of(hub: Hub) -> InboxCapability:
    """The hub's inbox; `PluginError` when the configuration leaves it out."""
    for capability in hub.capabilities:
        if isinstance(capability, InboxCapability):
            return capability
    raise PluginError(
        "A capability in use delivers through the inbox, which is not in use.",
        fix="Add inbox to [capabilities] use, after presence.",
    )


def _address(letter: Letter, agent_id: str) -> Address:
    return letter.tenant_id, letter.fleet_id, agent_id
