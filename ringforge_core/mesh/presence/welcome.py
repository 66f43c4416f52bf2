"""Sends the roster to those who joined.

When a thousand agents join at once, a roster for each as it comes would be encoded a thousand times. So the first one
gets it in the next tick, and who joins within the window after that waits for its end and shares one encoding.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ringforge_core.mesh.presence.messages import Roster
from ringforge_core.plugin import Member

AT_ONCE = 64
"""Rosters sent in one tick of the loop; the rest follow in the next, so that others get their turn."""


class Welcome:
    def __init__(self, roster: Callable[[], Roster], window: float) -> None:
        self._roster = roster
        self._window = window
        self._waiting: dict[int, tuple[Member, asyncio.Future[None]]] = {}
        self._scheduled = False

    def add(self, member: Member) -> asyncio.Future[None]:
        """The future is done when the roster has been pushed to the member, or it has left."""
        loop = asyncio.get_running_loop()
        sent = loop.create_future()
        self._waiting[id(member)] = (member, sent)
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._send)
        return sent

    def remove(self, member: Member) -> None:
        _, sent = self._waiting.pop(id(member), (None, None))
        if sent is not None and not sent.done():
            sent.set_result(None)

    def _send(self) -> None:
        self._scheduled = bool(self._waiting)
        if not self._waiting:
            return
        roster = self._roster()
        for key in list(self._waiting)[:AT_ONCE]:
            member, _ = self._waiting[key]
            member.push(roster)
            self.remove(member)
        loop = asyncio.get_running_loop()
        if self._waiting:
            loop.call_soon(self._send)
        else:
            loop.call_later(self._window, self._send)
