"""The rules of activity."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

import msgspec

from ringforge_core.errors import InvalidPayload, LimitReached, NotFound
from ringforge_core.mesh.activity.fleet_agents import FleetAgents
from ringforge_core.mesh.activity.messages import (
    DATA_BYTES,
    Activity,
    ActivityRecorded,
    BroadcastActivity,
    GetHistory,
    History,
    Sender,
    SubscribedTags,
    SubscribeTags,
    UnsubscribeTags,
)
from ringforge_core.mesh.activity.subscriptions import Subscriptions
from ringforge_core.mesh.past import fitting, payload_of
from ringforge_core.plugin import (
    AgentSession,
    Call,
    Capability,
    Hub,
    NoSettings,
    encode_message,
    encode_payload,
    event,
    iso,
    new_event_id,
    now,
)
from ringforge_core.ports.event_bus import FLEET, Audience, Event, ReplayFilter, Topic, TopicKind
from ringforge_core.ports.store import Transaction

TOPIC = "activity"


class ActivityCapability(Capability[NoSettings]):
    name = "activity"
    pushes = (Activity,)
    topics = (TopicKind(TOPIC, partitions=6),)
    migrations = "ringforge_core.mesh.activity.migrations"

    def __init__(self, hub: Hub, settings: NoSettings) -> None:
        super().__init__(hub, settings)
        self._subscriptions = Subscriptions(hub.store)
        self._agents = FleetAgents(hub.store)

    async def start(self) -> None:
        await self._subscriptions.load()

    def recipients(self, event: Event) -> Iterable[str] | None:
        if event.audience.tags is not None:
            return self._subscriptions.followers(event.fleet_id, event.audience.tags)
        return event.audience.agents

    @event("activity:broadcast", counts="messages_today", idempotent=True)
    async def broadcast(self, call: Call, request: BroadcastActivity) -> ActivityRecorded:
        """Tell what you do: to the fleet, to the followers of the tags, or to one agent."""
        audience = FLEET if request.scope == "fleet" else await self._audience(call.agent, request)
        return await self.hub.store.apply(
            record, _event(call.agent, request, audience), once=call.once, charges=call.charges
        )

    @event("activity:subscribe", idempotent=True)
    async def subscribe(self, call: Call, request: SubscribeTags) -> SubscribedTags:
        """Follow tags, also after a reconnect: their activities are pushed to you."""
        tags = await self._subscriptions.subscribe(call.agent, request.tags, once=call.once)
        return SubscribedTags(subscribed_tags=tags)

    @event("activity:unsubscribe", idempotent=True)
    async def unsubscribe(self, call: Call, request: UnsubscribeTags) -> SubscribedTags:
        """Cease to follow tags."""
        tags = await self._subscriptions.unsubscribe(call.agent, request.tags, once=call.once)
        return SubscribedTags(subscribed_tags=tags)

    @event("activity:history")
    async def history(self, call: Call, request: GetHistory) -> History:
        """The fleet's newest activities, without those that went to other agents alone."""
        agent = call.agent
        query = ReplayFilter(viewer=agent.agent_id, kinds=request.kinds, limit=request.limit, newest=True)
        past = await self.hub.replay(Topic(agent.tenant_id, agent.fleet_id, TOPIC), query)
        events = [cast("dict[str, Any]", payload_of(event)) for event in reversed(fitting(reversed(past.events)))]
        return History(events=events, count=len(events))

    async def _audience(self, agent: AgentSession, request: BroadcastActivity) -> Audience:
        if request.scope == "tagged":
            if not request.tags:
                raise InvalidPayload("Scope tagged needs tags.", reason="missing_tags", field="tags", fix="Send tags.")
            return Audience(tags=request.tags)
        if not request.to:
            raise InvalidPayload(
                "Scope direct needs the agent that it goes to.", reason="missing_to", field="to", fix="Send its id in to."
            )
        if not await self._agents.includes(agent.tenant_id, agent.fleet_id, request.to):
            raise NotFound("There is no such agent in your fleet.", fix="See presence:roster for the ids.", field="to")
        return Audience(agents=(request.to,))


def record(tx: Transaction, events: Sequence[Event]) -> list[ActivityRecorded]:
    """The write of a broadcast: nothing but its event."""
    for each in events:
        tx.append(each)
    return [ActivityRecorded(event_id=each.event_id) for each in events]


def _event(agent: AgentSession, request: BroadcastActivity, audience: Audience) -> Event:
    data = encode_payload(request.data)
    if len(memoryview(data)) > DATA_BYTES:
        raise LimitReached(
            f"data is larger than {DATA_BYTES} bytes.",
            reason="payload_too_large",
            field="data",
            fix="Share large data as a file and send a reference to it.",
        )
    event_id, at = new_event_id(), now()
    activity = Activity(
        event_id=event_id,
        sender=Sender(agent.agent_id, agent.name),
        kind=request.kind,
        description=request.description,
        tags=request.tags,
        data=cast("dict[str, Any]", data),
        timestamp=iso(at),
    )
    return Event(
        event_id=event_id,
        tenant_id=agent.tenant_id,
        fleet_id=agent.fleet_id,
        topic=TOPIC,
        push=Activity.wire,
        body=msgspec.Raw(encode_message(activity)),
        at=at,
        key=agent.agent_id,
        kind=request.kind,
        agent_id=agent.agent_id,
        tags=request.tags,
        audience=audience,
    )
