"""The agent: one connection to a hub, and what can be done over it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from ssl import SSLContext
from typing import Any, Self, TypeVar

from ringforge.activity import Activity
from ringforge.address import Address
from ringforge.credentials import Credentials
from ringforge.direct_messages import DirectMessages
from ringforge.errors import ConnectionLost
from ringforge.feed import Feed
from ringforge.fleets import Fleets
from ringforge.groups import Groups
from ringforge.joined import Joined
from ringforge.key_file import KEY_DIRECTORY, KeyFile
from ringforge.keys import Keys
from ringforge.log import Gap, Position, Push, RawPush
from ringforge.memory import Memory
from ringforge.presence import Presence
from ringforge.profiles import Agents
from ringforge.replay import Replay
from ringforge.requests import Requests
from ringforge.roster import State
from ringforge.session import Session
from ringforge.stream import BUFFER, Stream

logger = logging.getLogger("ringforge")

PushHandler = Callable[[Push], Awaitable[None]]
Handler = TypeVar("Handler", bound=PushHandler)

LONGEST_TIMEOUT = 240.0
"""Seconds. The hub remembers an idempotency key for 5 minutes: nothing is sent again near that age."""


class Agent:
    """An agent of a fleet. Use it as `async with`, or call `connect()` and `close()`; it connects once.

    After a lost connection it connects again by itself, gets the events it missed, each once and in order, and sends
    again the requests that have no reply yet; the hub does each of those once.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        name: str | None = None,
        framework: str | None = None,
        capabilities: Sequence[str] = (),
        model: str | None = None,
        state: State = "online",
        task: str | None = None,
        load: float = 0.0,
        metadata: Mapping[str, Any] | None = None,
        timeout: float = 30.0,
        connect_timeout: float = 10.0,
        tls: SSLContext | None = None,
        key_directory: Path | str | None = KEY_DIRECTORY,
    ) -> None:
        """`url` is the hub's address, such as `ws://127.0.0.1:4000` or `wss://hub.example.org`.

        An agent with a `name` is the same one at its next connect; without a name each connect makes a new one.
        `timeout` bounds a request in seconds, reconnects included (at most 240); `connect_timeout` the first connect.
        `tls` is for a `wss://` hub whose certificate the system does not trust by itself.

        An agent with a name makes a key pair on its first connect and keeps it in a file in `key_directory`. From then on
        the API key is not sent any more, and need not be given; None goes without, with the API key each time.
        """
        if tls is not None and not url.startswith("wss:"):
            raise ValueError("tls is for an address that begins with wss://")
        if not 0 < timeout <= LONGEST_TIMEOUT:
            raise ValueError(f"timeout must be above 0 and at most {LONGEST_TIMEOUT:.0f} seconds")
        address = Address(url, name=name, framework=framework, capabilities=capabilities)
        key_file = KeyFile(Path(key_directory), address.hub, name) if name and key_directory is not None else None
        credentials = Credentials(address, api_key, key_file, tls=tls)
        self._feed = Feed()
        self._session = Session(credentials, self._feed, join_fields=lambda: self.presence.own, timeout=timeout)
        self._connect_timeout = connect_timeout
        self._handlers: list[tuple[Stream[Push], PushHandler]] = []
        self._handler_tasks: set[asyncio.Task[None]] = set()
        self._started = False
        self._requests = Requests(self._session)
        own = {"state": state, "task": task, "load": load, "model": model, "metadata": dict(metadata or {})}
        self.presence = Presence(self._requests, self._feed, own)
        self.activity = Activity(self._requests, self._feed)
        self.replay = Replay(self._requests)
        self.memory = Memory(self._requests, self._feed)
        self.dm = DirectMessages(self._requests, self._feed)
        self.groups = Groups(self._requests, self._feed)
        self.agents = Agents(self._requests)
        self.fleets = Fleets(self._requests)
        self.keys = Keys(credentials, self._requests)
        self._session.first_calls += [self.activity.subscribe_again, self.memory.subscribe_again]

    async def connect(self) -> None:
        """Connect and join the fleet.

        `AuthenticationError` and `QuotaExceeded` come at once, `ConnectionLost` after `connect_timeout` seconds.
        """
        if self._started:
            raise RuntimeError("an Agent connects once; make a new one")
        self._started = True
        await self._session.start(within=self._connect_timeout)
        for stream, handler in self._handlers:
            self._run_handler(stream, handler)

    async def close(self) -> None:
        """Leave the fleet. Streams end after what they still hold, waiting requests raise `ConnectionLost`."""
        await self._session.close()
        tasks = self._handler_tasks - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def id(self) -> str:
        """The agent's id in the fleet. This and the next three raise `ConnectionLost` before the first connect."""
        return self._joined.agent_id

    @property
    def fleet_id(self) -> str:
        return self._joined.fleet_id

    @property
    def name(self) -> str | None:
        """The name the hub knows the agent by."""
        return self._joined.name

    @property
    def server(self) -> Any:
        """What the hub says about itself."""
        return self._joined.server

    @property
    def connected(self) -> bool:
        return self._session.connected

    @property
    def position(self) -> Position | None:
        """The last log event that came in. A stream has its own `position`: keep that one to continue after a restart."""
        return self._feed.position

    async def request(
        self,
        event: str,
        payload: Mapping[str, Any] | None = None,
        *,
        idempotent: bool = False,
        idempotency_key: str | None = None,
    ) -> Any:
        """Send any event of any capability; returns the reply's response, or raises the hub's error.

        `idempotent`: the event changes nothing, or honours idempotency keys (`memory:set`, `direct:send` …). Then it is
        sent again after a lost connection, with the same key. Otherwise a lost connection raises `ConnectionLost`.
        """
        return await self._requests.send(
            event, payload or {}, object, idempotent=idempotent, idempotency_key=idempotency_key
        )

    def events(self, *names: str, since: Position | None = None, buffer: int = BUFFER) -> Stream[Push | Gap]:
        """All pushes with these names, or all there are; a `Gap` stands where events are lost."""
        return Stream(
            self._feed, RawPush.decoded, names=frozenset(names), on_gap=lambda gap: gap, since=since, buffer=buffer
        )

    def on(self, name: str) -> Callable[[Handler], Handler]:
        """Decorate an async function to be called with each push of that name, one after another.

        What it raises is logged, and the next push is handed in.
        """

        def register(handler: Handler) -> Handler:
            stream = Stream(self._feed, RawPush.decoded, names=frozenset({name}))
            self._handlers.append((stream, handler))
            if self._session.joined is not None:
                self._run_handler(stream, handler)
            return handler

        return register

    def on_gap(self, callback: Callable[[Gap], object]) -> None:
        """Call a plain function with each gap: events that the hub no longer has. Gaps are logged, too."""
        self._feed.gap_watchers.append(callback)

    @property
    def _joined(self) -> Joined:
        if self._session.joined is None:
            raise ConnectionLost("not_connected", "The agent has not connected yet.", "Call `connect()` first.")
        return self._session.joined

    def _run_handler(self, stream: Stream[Push], handler: PushHandler) -> None:
        task = asyncio.create_task(_handle(stream, handler), name=f"ringforge handler {handler!r}")
        self._handler_tasks.add(task)
        task.add_done_callback(self._handler_tasks.discard)


async def _handle(stream: Stream[Push], handler: PushHandler) -> None:
    async for push in stream:
        try:
            await handler(push)
        except Exception:
            logger.exception("The handler %r failed on %s", handler, push.name)
