"""Turns a typed request into a call of the session, and its response into a typed reply."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Protocol, TypeVar

import msgspec
from msgspec import UNSET

from ringforge.errors import InvalidPayload, UnexpectedReply
from ringforge.frames import encode_payload
from ringforge.session import Session

T = TypeVar("T")

LARGEST = 1024 * 1024 - 1024
"""Bytes. The hub closes the connection over a larger message."""


class Enveloped(msgspec.Struct, frozen=True):
    """A reply of the form `{"type": …, "event": …, "payload": {…}}`; the other replies are bare objects."""

    payload: msgspec.Raw


class Page(Protocol):
    @property
    def next_cursor(self) -> str | None: ...


P = TypeVar("P", bound=Page)


class Requests:
    """What the sub-APIs send through."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def send(
        self,
        event: str,
        payload: object,
        reply: type[T],
        *,
        idempotent: bool,
        idempotency_key: str | None = None,
    ) -> T:
        """Send and wait for the reply; see `Agent.request`."""
        message = {"payload": payload}
        if idempotent:
            message["_idempotency_key"] = idempotency_key or uuid.uuid4().hex
        body = encode_payload(message)
        if len(bytes(body)) > LARGEST:
            raise InvalidPayload("payload_too_large", f"{event} takes at most {LARGEST} bytes.", "Send less.")
        response = await self._session.call(event, body, resend=idempotent)
        return _decode(event, response, reply)

    async def fetch(self, event: str, payload: object, reply: type[T], *, idempotency_key: str | None = None) -> T:
        """Send a request that may be repeated and whose reply is enveloped."""
        enveloped = await self.send(event, payload, Enveloped, idempotent=True, idempotency_key=idempotency_key)
        return _decode(event, enveloped.payload, reply)

    async def arrive_in(self, fleet_id: str) -> None:
        """Wait until the agent is in this fleet."""
        await self._session.arrive_in(fleet_id)

    async def read(self, event: str, payload: object, reply: type[T]) -> T:
        """Send a request that changes nothing and whose reply is bare."""
        return await self.send(event, payload, reply, idempotent=True)

    async def pages(
        self, event: str, payload: Mapping[str, object], reply: type[P], *, enveloped: bool = True
    ) -> AsyncIterator[P]:
        """All pages of a list, each asked for with the cursor of the one before."""
        ask = self.fetch if enveloped else self.read
        page = await ask(event, payload, reply)
        yield page
        while page.next_cursor is not None:
            page = await ask(event, {**payload, "cursor": page.next_cursor}, reply)
            yield page

    async def tell(self, event: str, payload: object) -> None:
        """Send what has no reply; lost when there is no connection."""
        await self._session.tell(event, encode_payload({"payload": payload}))


def given(**fields: object) -> dict[str, object]:
    """The fields that are not `UNSET`."""
    return {name: value for name, value in fields.items() if value is not UNSET}


def _decode(event: str, response: msgspec.Raw, reply: type[T]) -> T:
    try:
        return msgspec.json.decode(response, type=reply)
    except msgspec.DecodeError as error:
        raise UnexpectedReply("unexpected_reply", f"The reply to {event} has an unknown shape: {error}.") from error
