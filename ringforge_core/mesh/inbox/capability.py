"""The rules of the inbox, and what it offers to other capabilities."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, cast

from ringforge_core.errors import NotFound, PluginError
from ringforge_core.identity.ids import now
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
from ringforge_core.plugin import Call, Capability, Hub, Member, event
from ringforge_core.ports.event_bus import Event, TopicKind

HAND_OVER_SECONDS = 0.5
"""How long a sender waits to hear that its message was pushed, when others were queued before it."""


class Underway:
    """A parcel of this process that was not both delivered by it and heard of from the bus."""

    __slots__ = ("delivered", "heard")

    def __init__(self) -> None:
        self.delivered = False
        self.heard = False


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
        self._underway: dict[str, Underway] = {}

    async def start(self) -> None:
        await self.hub.store.apply(release_node, self.hub.node)
        self._courier.start()
        await self._sweeper.start()

    async def stop(self) -> None:
        await self._sweeper.stop()
        await self._courier.stop()

    async def on_join(self, member: Member, fields: Any) -> None:
        self._courier.join(member)

    def on_leave(self, member: Member) -> None:
        self._courier.leave(member)

    @event("message:queued")
    async def queued(self, call: Call, request: GetQueued) -> QueuedMessages:
        """What waits for you, oldest first; it stays there."""
        address = (call.agent.tenant_id, call.agent.fleet_id, call.agent.agent_id)
        messages, total = await self.hub.store.read(
            lambda connection: read_queued(connection, address, at=now(), limit=request.limit)
        )
        return QueuedMessages(messages=cast("list[dict[str, Any]]", messages), count=len(messages), total=total)

    @event("message:ack")
    async def acknowledge(self, call: Call, request: AcknowledgeMessage) -> Acknowledged:
        """You have taken charge of a message that was sent with `ack`: it will not be sent to you again."""
        agent = call.agent
        settlement = Settlement(agent.tenant_id, agent.fleet_id, agent.agent_id, request.message_id)
        if not await self.hub.store.apply(settle, (settlement,)):
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
        self._underway[letter.message_id] = Underway()
        try:
            yield parcel
        finally:
            underway = self._underway.get(letter.message_id)
            if underway is not None and not underway.delivered:  # refused, a repeat, or the caller gave up waiting
                del self._underway[letter.message_id]
                for agent_id in held:
                    self._courier.let_go(_address(letter, agent_id), letter.message_id)
                self._courier.wake(_address(letter, agent_id) for agent_id in recipients)

    async def deliver(self, parcel: Parcel, refused: Mapping[str, str] | None = None) -> frozenset[str]:
        """Push a committed parcel to those recipients that are connected here; returns whom it was handed to.

        `refused` is what `put` returned for it. The others get it when they join, or from the node they are at.
        """
        letter = parcel.letter
        self._note(letter.message_id, delivered=True)
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

    async def on_events(self, events: Sequence[Event]) -> None:
        """To be subscribed to the bus topics whose events tell of letters: those of other nodes are looked for."""
        for each in events:
            if each.event_id in self._underway:
                self._note(each.event_id, heard=True)
            else:
                self._courier.wake((each.tenant_id, each.fleet_id, agent_id) for agent_id in each.audience.agents or ())

    def _note(self, message_id: str, *, delivered: bool = False, heard: bool = False) -> None:
        underway = self._underway[message_id]
        underway.delivered |= delivered
        underway.heard |= heard
        if underway.delivered and underway.heard:
            del self._underway[message_id]


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
