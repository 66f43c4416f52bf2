"""Keeps one channel open: connects, resumes, sends again what has no answer yet, until it is closed or refused."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from copy import copy
from typing import Any

import msgspec
from websockets.frames import CloseCode

from ringforge.backoff import Backoff
from ringforge.calls import Call, Calls
from ringforge.channel import Channel
from ringforge.credentials import Credentials
from ringforge.errors import (
    AuthenticationError,
    ConnectionLost,
    Forbidden,
    InvalidPayload,
    KeyFileError,
    Kicked,
    NotFound,
    QuotaExceeded,
    RateLimited,
    RequestTimeout,
    RingforgeError,
)
from ringforge.feed import Feed
from ringforge.joined import Joined

logger = logging.getLogger("ringforge")

FINAL = (AuthenticationError, Forbidden, InvalidPayload, KeyFileError, Kicked, NotFound)
"""Refusals that another attempt would meet again."""
STEADY = 5.0
"""Seconds that a connection must last for the next attempt to come quickly again."""
CATCH_UP_PAUSE = 2.0
"""Seconds between two reconnects for the sake of a slow reader; the hub takes 30 connects a minute from one address."""


class Session:
    """Owns the task that connects; `start` and `close` it once each."""

    def __init__(
        self,
        credentials: Credentials,
        feed: Feed,
        *,
        join_fields: Callable[[], dict[str, Any]],
        timeout: float,
    ) -> None:
        """`join_fields` gives the fields of the join's payload; `timeout` bounds a call in seconds, reconnects included."""
        self.joined: Joined | None = None
        self.first_calls: list[Callable[[], Iterable[Call]]] = []
        """Each gives the calls that go out before all others on a new connection."""
        self._credentials = credentials
        self._feed = feed
        self._join_fields = join_fields
        self._timeout = timeout
        self._backoff = Backoff()
        self._channel: Channel | None = None
        self._calls = Calls()
        self._settled = asyncio.Event()
        """Set by the first join, and by the end."""
        self._next_join = asyncio.Event()
        """Set by the next join, and by the end."""
        self._runner: asyncio.Task[None] | None = None
        self._failure: RingforgeError = ConnectionLost("not_connected", "The agent is not connected.")
        self._over = False
        """True once no further connection is to be made."""
        self._ended = False

    @property
    def connected(self) -> bool:
        return self._channel is not None

    async def start(self, *, within: float) -> None:
        """Connect; returns when joined. Tries again until `within` seconds are over, unless the hub refuses for good."""
        self._runner = asyncio.create_task(self._run(), name="ringforge session")
        try:
            await asyncio.wait_for(self._settled.wait(), within)
        except TimeoutError:
            logger.debug("No connection within %s s", within)
        finally:
            failure = self._failure
            if self.joined is None:
                await self.close()
        if self.joined is None:
            raise failure

    async def close(self) -> None:
        """Leave the fleet and end all that waits. A second call does nothing."""
        self._over = True
        if self._channel is not None:
            await self._channel.close(leave=True)
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.wait([self._runner])
        self._end(ConnectionLost("closed", "The agent was closed."), told=None)

    async def call(self, event: str, body: msgspec.Raw, *, resend: bool) -> msgspec.Raw:
        """The reply's response; with `resend` the call is sent again after a lost connection."""
        if self._over or self._runner is None:
            raise copy(self._failure)
        try:
            async with asyncio.timeout(self._timeout):
                with self._calls.open(Call(event, body, resend=resend)) as call:
                    if self._channel is not None:
                        await self._channel.send(call)
                    return await call.reply
        except TimeoutError:
            if self._channel is None:
                raise copy(self._failure) from None
            raise RequestTimeout("timeout", f"No reply to {event} in time; whether the hub did it is unknown.") from None

    async def arrive_in(self, fleet_id: str) -> None:
        """Wait until the agent is in this fleet."""
        while self.joined is None or self.joined.fleet_id != fleet_id:
            if self._over:
                raise copy(self._failure)
            await self._next_join.wait()

    async def tell(self, event: str, body: msgspec.Raw) -> None:
        """Send what has no reply, once; nothing is sent without a connection."""
        if self._over or self._runner is None:
            raise copy(self._failure)
        if self._channel is not None:
            await self._channel.send(Call(event, body, resend=False))

    async def _run(self) -> None:
        try:
            while not self._over:
                try:
                    await self._connect_once()
                except RingforgeError as error:
                    if self._is_final(error):
                        self._end(error, told=error)
                    else:
                        await self._pause(error)
        except Exception as error:
            logger.exception("The session failed")
            failure = RingforgeError("sdk_failure", f"The SDK failed: {error!r}", "Please report this.")
            self._end(failure, told=failure)

    async def _connect_once(self) -> None:
        """One connection from beginning to end. Raises why it ended; returns when it was ended from here."""
        loop = asyncio.get_running_loop()
        agent_id = self.joined.agent_id if self.joined else None
        channel = Channel(await self._credentials.open(agent_id), self._feed.accept)
        try:
            joined = await self._join(channel)
            joined_at = loop.time()
            async with asyncio.TaskGroup() as tasks:
                helpers = [
                    tasks.create_task(channel.beat(joined.heartbeat_ms / 1000)),
                    tasks.create_task(self._settle(channel, joined.agent_id)),
                    tasks.create_task(self._catch_up(channel)),
                ]
                await channel.read()
                for helper in helpers:
                    helper.cancel()
            if channel.closing:
                return
        finally:
            self._channel = None
            await channel.close()
            self._calls.forsake(channel)
        if loop.time() - joined_at > STEADY or channel.close_code == CloseCode.SERVICE_RESTART:
            self._backoff.reset()
        raise channel.ending()

    async def _join(self, channel: Channel) -> Joined:
        asked = self._feed.resume_from()
        payload: dict[str, Any] = {"payload": self._join_fields()}
        if asked is not None:
            payload["resume"] = asked
        before, self.joined = self.joined, await channel.join(payload)
        if before is not None and before.fleet_id != self.joined.fleet_id:
            self._feed.moved(self.joined.head)
        else:
            self._feed.joined(self.joined.head, asked, self.joined.lost_until(asked))
        return self.joined

    async def _settle(self, channel: Channel, agent_id: str) -> None:
        """Send what has no reply yet, in the order it was asked for; from then on calls go out directly."""
        await self._credentials.confirm(channel, agent_id)
        for prepare in self.first_calls:
            for call in prepare():
                await channel.send(call)
        while waiting := self._calls.unsent(channel):
            for call in waiting:
                await channel.send(call)
        self._channel = channel
        self._settled.set()
        self._next_join.set()
        self._next_join = asyncio.Event()

    async def _catch_up(self, channel: Channel) -> None:
        await asyncio.sleep(CATCH_UP_PAUSE)
        await self._feed.catch_up_wanted.wait()
        await channel.close()

    def _is_final(self, error: RingforgeError) -> bool:
        return isinstance(error, FINAL) or (self.joined is None and isinstance(error, QuotaExceeded))

    async def _pause(self, error: RingforgeError) -> None:
        self._failure = error
        seconds = self._backoff.next()
        if isinstance(error, RateLimited):
            seconds = max(seconds, error.retry_after_ms / 1000)
        logger.warning("Not connected (%s); next attempt in %.1f s", error, seconds)
        await asyncio.sleep(seconds)

    def _end(self, error: RingforgeError, *, told: RingforgeError | None) -> None:
        """Nothing works any more: calls raise `error`, streams raise `told` or just end. Only the first end counts."""
        if self._ended:
            return
        self._over = self._ended = True
        self._failure = error
        self._calls.fail(error)
        self._feed.end(told)
        self._settled.set()
        self._next_join.set()
