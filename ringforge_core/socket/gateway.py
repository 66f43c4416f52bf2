"""The socket side of a hub: every connection of this node, and what they share. It knows no capability by name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any

import structlog

from ringforge_core.errors import Backpressure, RingforgeError, Unauthenticated
from ringforge_core.identity import NOTHING, Admission, Credentials, KeyHolder, Sessions, iso, now
from ringforge_core.limits import Limits
from ringforge_core.plugin.capability import AgentSession, Capability
from ringforge_core.plugin.messages import Push
from ringforge_core.ports.store import Store
from ringforge_core.socket.channel import Channel
from ringforge_core.socket.clock import Clock
from ringforge_core.socket.connection import POLICY, Connection
from ringforge_core.socket.delivery import Delivery
from ringforge_core.socket.dispatch import Dispatcher
from ringforge_core.socket.everywhere import Everywhere
from ringforge_core.socket.fanout import Fanout
from ringforge_core.socket.frames import Frame
from ringforge_core.socket.joining import Joiner
from ringforge_core.socket.measures import SocketMeasures
from ringforge_core.socket.rooms import Rooms
from ringforge_core.socket.system import KeyRevoked, NodeDraining
from ringforge_core.socket.watching import Watchers

RESTART = 1012
DRAIN_BATCH = 200
"""Sockets closed at once while draining, so that not all clients come back in the same moment."""
DRAIN_PAUSE = 0.05

log = structlog.get_logger(__name__)


class Gateway:
    """Owns the connections, their joins and their session rows; started and stopped by the app."""

    def __init__(
        self, *, store: Store, admission: Admission, sessions: Sessions, node: str, server: str, max_buffered: int,
        idle_seconds: float, join_deadline_seconds: float, limits: Limits,
        overloaded: Callable[[], Backpressure | None] = lambda: None,
    ) -> None:  # fmt: skip
        self.node = node
        self.server = server
        self.admission = admission
        self.limits = limits
        self.connections: dict[Connection, None] = {}
        self.draining = False
        self.fanout = Fanout(max_buffered=max_buffered)
        self.rooms = Rooms(self.fanout, store)
        self.pushes = Everywhere(self.rooms, store)
        self.watchers = Watchers(self.rooms, store)
        self.measures = SocketMeasures(lambda: len(self.connections), self.rooms.agent_count)
        self.delivery: Delivery
        self.dispatcher: Dispatcher
        self._store = store
        self._overloaded = overloaded
        self._sessions = sessions
        self._capabilities: Sequence[Capability[Any]] = ()
        self._joiner: Joiner
        self._tasks: set[asyncio.Task[None]] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._clock = Clock(self.connections, idle_seconds=idle_seconds, join_deadline_seconds=join_deadline_seconds)

    async def start(self, capabilities: Sequence[Capability[Any]]) -> None:
        """Take the capabilities, which were made with this gateway's rooms, and begin to keep time."""
        self._capabilities = capabilities
        self.dispatcher = Dispatcher(capabilities, self.measures, self.limits.agents, self._overloaded)
        self.delivery = Delivery(self.rooms, self._store, capabilities)
        self._joiner = Joiner(self, capabilities)
        await self.delivery.follower.start()
        await self._clock.start(self.dispatcher.cancel_overdue)

    async def stop(self) -> None:
        """Finish the requests and joins in work and the session rows; `drain` comes before."""
        await self._clock.stop()
        await self.dispatcher.stop()
        await self.delivery.follower.stop()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)

    # --- connections --------------------------------------------------------------------------------------------

    async def authenticate(self, credentials: Credentials, *, address: str | None, method: str) -> AgentSession:
        """Admit an agent, and count how that went. Raises `LimitReached` before a key is looked at."""
        if credentials.mode != "challenge":  # a signature cannot be guessed, and its address may have bad neighbours
            self.limits.sign_in.check(address, credentials.api_key)
        try:
            agent = await self.admission.admit(credentials, address=address)
        except RingforgeError as error:
            self._refused(error, address, method)
            raise
        self.measures.authentications["success", method] += 1
        plan = await self.limits.plans.of(agent.tenant_id)
        self.limits.sign_in.succeeded(address, plan, credentials.api_key)
        return agent

    async def check_key(self, api_key: str, *, address: str | None, method: str) -> KeyHolder:
        """Verify a key that comes before its agent. Raises `LimitReached` before the key is looked at."""
        self.limits.sign_in.check(address, api_key)
        try:
            return await self.admission.check_key(api_key)
        except RingforgeError as error:
            self._refused(error, address, method)
            raise

    def _refused(self, error: RingforgeError, address: str | None, method: str) -> None:
        self.measures.authentications["failure", method] += 1
        if isinstance(error, Unauthenticated):
            self.limits.sign_in.failed(address)
            log.warning("auth.failed", address=address, method=method, reason=error.reason)

    def opened(self, connection: Connection) -> None:
        """The transport is in place: frames may come."""
        connection.opened = True
        connection.let_in_at = asyncio.get_running_loop().time()
        self.connections[connection] = None
        self._empty.clear()
        if connection.agent is None:
            self._clock.expect_join(connection)

    def authenticated(self, connection: Connection, agent: AgentSession) -> None:
        """The socket belongs to this agent from now on."""
        connection.agent = agent
        connection.let_in_at = asyncio.get_running_loop().time()
        connection.credentials = NOTHING
        self._clock.joined(connection)

    def closed(self, connection: Connection, code: int, reason: str) -> None:
        """The transport is gone."""
        connection.opened = False
        self.connections.pop(connection, None)
        if not self.connections:
            self._empty.set()
        self._clock.joined(connection)
        self.measures.closed(code)
        if connection.session_open and (agent := connection.agent) is not None:
            connection.session_open = False
            self._spawn(self._sessions.close(agent.session_id, agent.tenant_id, reason or str(code)))

    async def open_session(self, connection: Connection) -> None:
        """Write the session row, once for a connection. `LimitReached` when the tenant has too many agents online."""
        if not connection.session_open and connection.agent is not None:
            connection.session_open = True
            try:
                await self._sessions.open(connection.agent)
            except RingforgeError:
                connection.session_open = False
                raise

    # --- channels -----------------------------------------------------------------------------------------------

    def receive(self, channel: Channel, frame: Frame) -> None:
        self.dispatcher.receive(channel, frame)

    def join(self, connection: Connection, channel: Channel, frame: Frame, *, replaced: Channel | None) -> None:
        self._spawn(self._joiner.join(connection, channel, frame, replaced))

    def left(self, channel: Channel) -> None:
        """A channel is over: out of its room, and out of the capabilities that knew of it."""
        if channel.joined:
            self.rooms.leave(channel)
        for capability in self._capabilities[: channel.entered]:
            try:
                capability.on_leave(channel)
            except Exception as error:  # one capability's fault must not keep the others from hearing
                log.error("leave_failed", capability=capability.name, exc_info=error)

    # --- ends ---------------------------------------------------------------------------------------------------

    def revoke(self, keys: set[str], agents: set[str], tenants: set[str], asked_at: float) -> None:
        """Close the sockets of revoked keys, deleted agents and suspended tenants that were let in before `asked_at`."""
        for connection in list(self.connections):
            agent = connection.agent
            if agent is None or connection.let_in_at > asked_at:
                continue
            if agent.key_id in keys:
                self._tell(connection, KeyRevoked(at=iso(now())))
                connection.close(POLICY, "api key revoked")
            elif agent.agent_id in agents:
                connection.close(POLICY, "agent deleted")
            elif agent.tenant_id in tenants:
                connection.close(POLICY, "tenant suspended")

    def agents_moved(self, fleets: Mapping[str, str], asked_at: float) -> None:
        """These agents were in these fleets at `asked_at`; their channels in others are closed, if they came before it."""
        for connection in list(self.connections):
            agent = connection.agent
            if agent is None or connection.let_in_at > asked_at:
                continue
            if (fleet_id := fleets.get(agent.agent_id)) is not None:
                connection.move(fleet_id)

    def let_go(self) -> None:
        """Send everybody away, to come back at once: what the other hubs know of this one is undone."""
        for connection in list(self.connections):
            connection.close(RESTART, "hub was out of touch")

    async def drain(self, *, seconds: float) -> None:
        """Refuse new sockets, say goodbye, close in batches with 1012, and wait until they are gone."""
        self.draining = True
        self.watchers.end_all()
        goodbye = NodeDraining(
            node=self.node, region="local", message="The hub restarts; reconnect.", reconnect_after_ms=1000
        )
        for connection in list(self.connections):
            self._tell(connection, goodbye)
        leaving = list(self.connections)
        for start in range(0, len(leaving), DRAIN_BATCH):
            for connection in leaving[start : start + DRAIN_BATCH]:
                connection.close(RESTART, "hub is restarting")
            await asyncio.sleep(DRAIN_PAUSE)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._empty.wait()

    def _tell(self, connection: Connection, push: Push) -> None:
        for channel in connection.channels.values():
            if channel.joined:
                channel.push(push)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
