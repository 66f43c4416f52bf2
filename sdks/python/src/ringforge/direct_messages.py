"""Messages from one agent to another, or to the human at the dashboard."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from copy import copy
from typing import Any, Literal

import msgspec

from ringforge.errors import ConnectionLost, NoAnswer, NotFound, RingforgeError, Undeliverable
from ringforge.feed import Feed
from ringforge.inbox import Inbox, MessageStream
from ringforge.log import Position, RawPush
from ringforge.messages import DirectMessage, IncomingMessage, Receipt, Sent, Typing, decode_receipt, decode_typing
from ringforge.requests import Requests
from ringforge.stream import BUFFER, Stream

DASHBOARD = "dashboard"
"""The address of the human operator: always valid."""

LARGEST_PAGE = 500


class DirectMessages:
    """Write to an agent; iterate over it for what others write to this one."""

    def __init__(self, requests: Requests, feed: Feed) -> None:
        self._requests = requests
        self._feed = feed
        self._asked: dict[tuple[str, str], asyncio.Future[IncomingMessage | RingforgeError]] = {}
        self._inbox = Inbox(feed, "direct:message", self._decode, intercept=self._is_answer)
        feed.end_watchers.append(self._end)

    async def send(
        self,
        to: str,
        content: Any,
        *,
        correlation_id: str | None = None,
        ack: bool = False,
        idempotency_key: str | None = None,
    ) -> Sent:
        """Write any JSON value of at most 100 KB to an agent of the fleet, or to `"dashboard"`.

        An agent that is away gets it when it comes back, for five minutes (a day when the content is an object with
        `"priority": "high"`). With `ack` it is brought again until the recipient acknowledges it: then not even a
        connection that breaks on the way loses it. Raises `Undeliverable`.
        """
        payload = {"to": to, "message": content, "correlation_id": correlation_id, "ack": ack}
        reply = await self._requests.fetch("direct:send", payload, _Accepted, idempotency_key=idempotency_key)
        if reply.message_id is None or reply.status == "failed":
            reason = reply.reason or "failed"
            raise Undeliverable(
                reason, f"The message to {to} was not taken: {reason}.", "Look the agent's id up in the roster.", {"to": to}
            )
        return Sent(reply.message_id, reply.to, reply.status)

    async def request(
        self,
        to: str,
        content: Any,
        *,
        timeout: float = 30.0,  # noqa: ASYNC109 — how long the other agent may take; it has an error of its own
        ack: bool = False,
    ) -> IncomingMessage:
        """Write to an agent and wait for its `message.reply(…)`; it goes into no stream.

        Raises `Undeliverable`, and `NoAnswer` after `timeout` seconds; an answer that comes later is in the streams.
        """
        asked = (to, uuid.uuid4().hex)
        answer: asyncio.Future[IncomingMessage | RingforgeError] = asyncio.get_running_loop().create_future()
        self._asked[asked] = answer
        try:
            async with asyncio.timeout(timeout):
                await self.send(to, content, correlation_id=asked[1], ack=ack)
                message = await answer
                if isinstance(message, RingforgeError):
                    raise message
        except TimeoutError:
            raise NoAnswer("no_answer", f"{to} did not answer in {timeout:g} s.", extras={"to": to}) from None
        finally:
            del self._asked[asked]
        await message.ack()
        return message

    async def history(self, partner: str, *, page: int = 100) -> AsyncIterator[DirectMessage]:
        """The conversation with an agent, the newest message first, back to the oldest that the hub keeps."""
        before: str | None = None
        while True:
            payload = {"with": partner, "limit": min(page, LARGEST_PAGE), "before": before}
            reply = await self._requests.fetch("direct:history", payload, _Conversation)
            for message in reversed(reply.messages):
                yield message
            before = reply.before
            if before is None:
                return

    def stream(self, *, buffer: int = BUFFER) -> MessageStream[IncomingMessage]:
        """Messages to this agent: those that came while nobody read, then all that come; each once."""
        return self._inbox.stream(lambda message: True, buffer=buffer)

    def __aiter__(self) -> MessageStream[IncomingMessage]:
        return self.stream()

    def receipts(self, *, since: Position | None = None, buffer: int = BUFFER) -> Stream[Receipt]:
        """What becomes of the messages of this agent."""
        names = frozenset({"message:receipt", "message:read"})
        return Stream(self._feed, decode_receipt, names=names, since=since, buffer=buffer)

    async def mark_read(self, message_id: str) -> None:
        """Tell the sender that its message was read. Raises `NotFound` for a message that was not to this agent."""
        await self._requests.send("message:read", {"message_id": message_id}, dict[str, Any], idempotent=True)

    async def acknowledge(self, message_id: str) -> None:
        """The hub need not bring the message again. Does nothing when it does not wait any more."""
        try:
            await self._requests.send("message:ack", {"message_id": message_id}, dict[str, Any], idempotent=True)
        except NotFound:
            return

    def forget(self, message_id: str) -> None:
        """Take the message in again when the hub brings it again."""
        self._inbox.forget(message_id)

    async def start_typing(self, to: str) -> None:
        """Show an agent that this one is writing to it."""
        await self._requests.tell("message:typing", {"to": to})

    def typing(self, *, buffer: int = BUFFER) -> Stream[Typing]:
        """Who is writing to this agent."""
        return Stream(self._feed, decode_typing, names=frozenset({"message:typing"}), buffer=buffer)

    def _decode(self, push: RawPush) -> IncomingMessage:
        message = msgspec.json.decode(push.payload, type=DirectMessage)
        delivery = msgspec.json.decode(push.payload, type=_Delivery)
        return IncomingMessage(self, message, needs_ack=delivery.ack, attempt=delivery.attempt)

    def _is_answer(self, message: IncomingMessage) -> bool:
        answer = self._asked.get((message.sender.agent_id, message.correlation_id or ""))
        if answer is None or answer.done():
            return False
        answer.set_result(message)
        return True

    def _end(self, error: RingforgeError | None) -> None:
        for answer in self._asked.values():
            if not answer.done():
                answer.set_result(copy(error) if error else ConnectionLost("closed", "The agent was closed."))


class _Accepted(msgspec.Struct):
    message_id: str | None
    to: str
    status: Literal["delivered", "queued", "failed"]
    reason: str | None = None


class _Conversation(msgspec.Struct):
    messages: list[DirectMessage]
    before: str | None = None


class _Delivery(msgspec.Struct):
    ack: bool = False
    attempt: int = 1
