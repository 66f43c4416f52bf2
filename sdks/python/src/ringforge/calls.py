"""Requests on their way, over as many connections as it takes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from typing import TYPE_CHECKING

import msgspec

from ringforge.errors import RingforgeError
from ringforge.frames import encode_payload

if TYPE_CHECKING:
    from ringforge.channel import Channel


logger = logging.getLogger("ringforge")


class Call:
    """One request and the future of its reply. It outlives the channel that it was sent on."""

    __slots__ = ("body", "channel", "event", "reply", "resend")

    def __init__(self, event: str, body: msgspec.Raw, *, resend: bool) -> None:
        self.event = event
        self.body = body
        self.resend = resend
        """True when it may be sent again on the next connection."""
        self.channel: Channel | None = None
        self.reply: asyncio.Future[msgspec.Raw] = asyncio.get_running_loop().create_future()


def first_call(event: str, payload: object) -> Call:
    """A call that a new connection begins with; nobody waits for its reply, a refusal is logged."""
    call = Call(event, encode_payload({"payload": payload}), resend=False)
    call.reply.add_done_callback(lambda reply: _log_refusal(event, reply))
    return call


def _log_refusal(event: str, reply: asyncio.Future[msgspec.Raw]) -> None:
    if not reply.cancelled() and (error := reply.exception()) is not None:
        logger.warning("The hub did not take %s again: %s", event, error)


class Calls:
    """The calls without a reply, in the order they were made."""

    def __init__(self) -> None:
        self._open: dict[Call, None] = {}

    @contextmanager
    def open(self, call: Call) -> Iterator[Call]:
        """The call is among them until the block is left."""
        self._open[call] = None
        try:
            yield call
        finally:
            del self._open[call]

    def unsent(self, channel: Channel) -> list[Call]:
        """Those that have not gone out on this channel."""
        return [call for call in self._open if call.channel is not channel]

    def forsake(self, channel: Channel) -> None:
        """The channel has ended. Calls that may not be sent twice end with it: nobody knows whether the hub did them."""
        for call in self._open:
            if call.channel is channel and not call.resend and not call.reply.done():
                call.reply.set_exception(channel.ending())

    def fail(self, error: RingforgeError) -> None:
        """No reply will come any more."""
        for call in self._open:
            if not call.reply.done():
                call.reply.set_exception(copy(error))
