"""The rules of direct messages."""

from __future__ import annotations

import asyncio
from typing import cast

import msgspec
import sqlalchemy as sa

from ringforge_core.errors import InvalidPayload, NotFound
from ringforge_core.identity.ids import iso, now
from ringforge_core.mesh.direct.compose import TOPIC, compose
from ringforge_core.mesh.direct.history import ConversationQuery, Page, Reading, mark_read, read_page
from ringforge_core.mesh.direct.messages import (
    DASHBOARD,
    Conversation,
    Envelope,
    GetConversation,
    MarkedRead,
    MarkRead,
    Message,
    MessageAccepted,
    MessageHistory,
    MessageRead,
    SendMessage,
    StartTyping,
    Typing,
)
from ringforge_core.mesh.direct.retention import HistoryRetention
from ringforge_core.mesh.direct.send import Sending, Undeliverable, note_delivered, write_messages
from ringforge_core.mesh.direct.settings import DirectSettings
from ringforge_core.mesh.direct.tables import direct_messages
from ringforge_core.mesh.inbox import InboxCapability, inbox_of
from ringforge_core.plugin import AgentSession, Call, Capability, Hub, event
from ringforge_core.ports.event_bus import Event, TopicKind


class _KeptReply(msgspec.Struct):
    payload: MessageAccepted


_decode_kept = msgspec.json.Decoder(_KeptReply).decode


class DirectCapability(Capability[DirectSettings]):
    name = "direct"
    settings_type = DirectSettings
    pushes = (Message, MessageRead, Typing)
    topics = (TopicKind(TOPIC, partitions=3),)
    migrations = "ringforge_core.mesh.direct.migrations"

    def __init__(self, hub: Hub, settings: DirectSettings) -> None:
        super().__init__(hub, settings)
        self._retention = HistoryRetention(hub.store, hub.retention_of, seconds=settings.trim_seconds)
        self._answering: dict[str, asyncio.Event] = {}
        """The messages with an idempotency key whose first sender is not answered yet."""
        self._inbox: InboxCapability

    async def start(self) -> None:
        self._inbox = inbox_of(self.hub)
        await self._retention.start()

    async def stop(self) -> None:
        await self._retention.stop()

    def heard(self, event: Event) -> None:
        self._inbox.heard_of(event)

    def recipients(self, event: Event) -> tuple[()]:
        """Nobody: the inbox pushes messages, and keeps them until they are delivered."""
        return ()

    @event("direct:send", counts="messages_today", rate="100/minute", idempotent=True)
    async def send(self, call: Call, request: SendMessage) -> MessageAccepted:
        """Write to an agent of your fleet, or to the dashboard; an agent that is away gets it when it joins."""
        to = _recipient(call.agent, request)
        message = compose(call.agent, to, request, self.settings)
        recipients = () if to == DASHBOARD else (to,)  # the operator reads the history: nothing waits for a socket
        answered = self._answering[message.letter.message_id] = asyncio.Event()
        try:
            with self._inbox.parcel(message.letter, recipients) as parcel:
                accepted = await self.hub.store.apply(
                    write_messages, Sending(message, parcel), once=call.once, charges=call.charges
                )
                if isinstance(accepted, msgspec.Raw):
                    return await self._repeat(call.agent, accepted)
                if await self._inbox.deliver(parcel):
                    accepted.status = "delivered"
                    if call.once is not None:
                        await self.hub.store.apply(note_delivered, (call.agent.tenant_id, message.letter.message_id))
                return accepted
        except Undeliverable as refusal:
            return MessageAccepted(message_id=None, to=to, status="failed", reason=refusal.reason)
        finally:
            del self._answering[message.letter.message_id]
            answered.set()

    async def _repeat(self, agent: AgentSession, kept: msgspec.Raw) -> MessageAccepted:
        """The first sender's answer: what is kept with the key was written before it was known who got the message."""
        accepted = _decode_kept(kept).payload
        first = self._answering.get(accepted.message_id or "")
        if first is not None:
            await first.wait()
        query = sa.select(direct_messages.c.status).where(
            direct_messages.c.tenant_id == agent.tenant_id,
            direct_messages.c.fleet_id == agent.fleet_id,
            direct_messages.c.message_id == accepted.message_id,
        )
        status = await self.hub.store.read(lambda connection: connection.execute(query).scalar())
        accepted.status = status or accepted.status
        return accepted

    @event("direct:history")
    async def history(self, call: Call, request: GetConversation) -> Conversation:
        """Your conversation with an agent or the dashboard: the newest messages, or those before one."""
        page = await self._page(call.agent, request)
        return Conversation(
            partner=request.partner, messages=_envelopes(page), count=len(page.envelopes), before=page.before
        )

    @event("message:history")
    async def message_history(self, call: Call, request: GetConversation) -> MessageHistory:
        """The same as `direct:history`, under another name."""
        page = await self._page(call.agent, request)
        return MessageHistory(
            partner=request.partner, messages=_envelopes(page), count=len(page.envelopes), before=page.before
        )

    @event("message:read", idempotent=True)
    async def read(self, call: Call, request: MarkRead) -> MarkedRead:
        """You have read a message that was sent to you; its sender is told."""
        agent = call.agent
        reading = Reading(agent.tenant_id, agent.fleet_id, agent.agent_id, request.message_id)
        return await self.hub.store.apply(mark_read, reading, once=call.once)

    @event("message:typing")
    def typing(self, call: Call, request: StartTyping) -> None:
        """Show an agent that you are writing to it; there is no reply."""
        agent = call.agent
        typing = Typing(agent_id=agent.agent_id, name=agent.name, timestamp=iso(now()))
        self.hub.pushes.to_agent(agent.fleet_id, request.to, typing)

    async def _page(self, agent: AgentSession, request: GetConversation) -> Page:
        query = ConversationQuery(
            agent.tenant_id, agent.fleet_id, agent.agent_id, request.partner, request.limit, request.before
        )
        page = await self.hub.store.read(lambda connection: read_page(connection, query))
        if page is None:
            raise NotFound(
                "There is no such message in this conversation, or it is older than what is kept.", field="before",
                fix="Send the `before` of the page that you have, as it is.",
            )  # fmt: skip
        return page


def _recipient(agent: AgentSession, request: SendMessage) -> str:
    if request.to is None:
        raise InvalidPayload("to is required.", reason="missing_recipient", field="to", fix="Send the agent's id in to.")
    if request.to == agent.agent_id:
        raise InvalidPayload(
            "You cannot write to yourself.",
            reason="self_message",
            field="to",
            fix="Send another agent's id; see presence:roster.",
        )
    return request.to


def _envelopes(page: Page) -> list[Envelope]:
    return cast("list[Envelope]", page.envelopes)
