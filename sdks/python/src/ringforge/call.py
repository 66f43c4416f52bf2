"""One request on its way, over as many connections as it takes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from ringforge.channel import Channel


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
