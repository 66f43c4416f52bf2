"""The composition root: the one place where concrete classes meet. Nothing happens at import."""

from __future__ import annotations

import asyncio
import gc
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from importlib.metadata import version
from typing import Any

import sqlalchemy as sa
import structlog
from litestar import Litestar
from litestar.exceptions import HTTPException, ValidationException
from prometheus_client import CollectorRegistry

from ringforge_core.administration import Desk
from ringforge_core.audit import AuditTrail
from ringforge_core.config import Config, Plugins
from ringforge_core.errors import Backpressure, RingforgeError, Unavailable
from ringforge_core.http.addresses import client_address
from ringforge_core.http.admin.routes import administration
from ringforge_core.http.challenge import challenge_handler
from ringforge_core.http.connect_check import connect_check_handler
from ringforge_core.http.docs import docs
from ringforge_core.http.errors import on_error, on_fault, on_http_exception, on_invalid, on_too_deep
from ringforge_core.http.handshake import handshake_handlers
from ringforge_core.http.health import health_handlers
from ringforge_core.http.metrics import metrics_handler
from ringforge_core.http.openapi import openapi_config
from ringforge_core.http.plugin_routes import add_routes
from ringforge_core.identity import Admission, Bootstrap, FleetPurge, RevocationWatch, Sessions, first_start
from ringforge_core.identity.founding import found_tenant
from ringforge_core.limits import Limits, Quotas, recount
from ringforge_core.nodes import NodeRegistry
from ringforge_core.nodes.registry import Load
from ringforge_core.plugin import Periodic
from ringforge_core.plugin.administration import Administration
from ringforge_core.plugin.capability import Capability, Nodes, Pushes
from ringforge_core.plugin.hookspecs import AdapterContext
from ringforge_core.plugin.presences import NobodyPresent, Presences
from ringforge_core.plugin.records import Feature
from ringforge_core.plugin.tenancy import FoundTenant
from ringforge_core.ports.auth import Auth
from ringforge_core.ports.event_bus import EventBus, Replay, ReplayFilter, Topic, TopicKind
from ringforge_core.ports.store import Store
from ringforge_core.socket.bounds import Bounds
from ringforge_core.socket.delivery import HUB_TOPICS
from ringforge_core.socket.gateway import Gateway
from ringforge_core.socket.server import Tls, new_event_loop, serve
from ringforge_core.store import Bookkeeping, SqlStore
from ringforge_core.store.bus_measures import BusMeasures
from ringforge_core.store.fleet_topics import FleetTopics
from ringforge_core.store.log_retention import LogRetention
from ringforge_core.store.outbox import BusChange, change_bus
from ringforge_core.store.relay import OutboxRelay, Relay

VERSION = version("ringforge-core")

log = structlog.get_logger(__name__)

SETTLE_SECONDS = 3.0
"""How long a look into the past waits for the bus to have what was acknowledged here."""


class Hub:
    """A whole hub, made of its parts but not yet running; `running()` starts and stops it.

    It is also what capabilities see (`plugin.Hub`): the store, the bus, the pushes and this node's name.
    """

    store: Store
    bus: EventBus
    pushes: Pushes
    nodes: Nodes
    administration: Administration

    def __init__(self, config: Config, plugins: Plugins) -> None:
        self.config = config
        self.node = config.hub.node
        self.data_directory = config.hub.data_directory
        self.public_url = config.hub.public_url.rstrip("/") if config.hub.public_url else None
        self.client_address = client_address(config.hub.trusted_proxies)
        self.found_tenant: FoundTenant = found_tenant
        self.quotas = Quotas(config.limits)
        departures = [loaded.capability.see_off for loaded in plugins.capabilities]
        bookkeeping = Bookkeeping(self.quotas, AuditTrail(), departures)
        self.store = SqlStore(
            config.store.url,
            settings=config.store,
            migrations=plugins.migrations,
            bookkeeping=bookkeeping,
            node=self.node,
        )
        self.limits = Limits(self.store, config.limits)
        self.admission = Admission(self.store)
        self.sessions = Sessions(self.store, node=self.node)
        self.nodes = self._registry = NodeRegistry(self.store, self.node, version=VERSION, load=self._load)
        self.nodes.on_gone(self.sessions.close_stale)
        self.gateway = Gateway(
            store=self.store, admission=self.admission, sessions=self.sessions, node=self.node,
            server=f"ringforge/{VERSION}", max_buffered=config.hub.max_buffered_bytes,
            idle_seconds=config.hub.idle_seconds, join_deadline_seconds=config.hub.join_deadline_seconds,
            limits=self.limits, overloaded=self._overloaded,
        )  # fmt: skip
        self.pushes = self.gateway.pushes
        self.administration = desk = Desk(self.store, self.gateway, self.quotas)
        self._registry.on_outlawed(self.gateway.let_go)
        loaded_bus = plugins.adapter("event_bus")
        self._bus_name = loaded_bus.name
        context = AdapterContext(
            data_directory=config.hub.data_directory, store=self.store, node=self.node, public_url=self.public_url
        )
        self.bus = loaded_bus.adapter.create(loaded_bus.settings, context)
        self.auth: Mapping[str, Auth] = {
            loaded.name: loaded.adapter.create(loaded.settings, context) for loaded in plugins.adapters["auth"]
        }
        self.capabilities: list[Capability[Any]] = [
            loaded.capability(self, loaded.settings) for loaded in plugins.capabilities
        ]
        self._presences: Presences = next(
            (part for part in self.capabilities if isinstance(part, Presences)), NobodyPresent()
        )
        desk.capabilities, desk.presences = self.capabilities, self._presences
        self.quotas.counted = self._counted()
        self.topics = FleetTopics(self.store, self.bus, self._topics(), self.retention_of)
        if self.bus.log_in_store:
            self.relay = Relay(self.store, self.bus, self.topics)
        else:
            bookkeeping.outbox = self.node
            self.relay = outbox_relay = OutboxRelay(self.store, self.bus, self.topics, self.node)
            self.nodes.on_gone(outbox_relay.adopt)
        self.first_start: Bootstrap | None = None
        """The keys made at the very first start, once; None at every other one."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start every part after those it stands on; stop in the opposite order, whatever happens."""
        async with AsyncExitStack() as stack:
            await self.store.open()
            stack.push_async_callback(self.store.close)
            await self.store.apply(change_bus, BusChange(self._bus_name, self.node, self.bus.log_in_store))
            self.first_start = await first_start(self.store)
            await self.sessions.close_stale()
            await recount(self.store, self.quotas.counted)
            watch = RevocationWatch(self.store, self.gateway.revoke, self.gateway.agents_moved)
            purge = FleetPurge(self.store, self.bus, [topic.name for topic in self._topics()])
            parts: list[EventBus | Relay | Periodic | Limits | Auth | Capability[Any]] = [
                self._registry, self.bus, self.topics, self.relay, purge, self.limits, *self.auth.values(),
                *self.capabilities,
            ]  # fmt: skip
            if not self.bus.log_in_store:
                parts.append(LogRetention(self.store, self.retention_of))
            for part in parts:
                await part.start()
                stack.push_async_callback(part.stop)
            await self.gateway.start(self.capabilities)
            stack.push_async_callback(self.gateway.stop)
            follower = self.gateway.delivery.follower
            if not self.bus.log_in_store:
                self.store.on_commit(follower.offer)
            elif self.store.shared:
                self.store.on_commit(follower.tell_others)
            await self.bus.subscribe(self.gateway.delivery.take)
            await watch.start()
            stack.push_async_callback(watch.stop)
            yield

    def application(self, *, runs_hub: bool = True) -> Litestar:
        """The ASGI application. Under any ASGI server its lifespan runs the hub, unless `running()` is entered outside."""

        @asynccontextmanager
        async def lifespan(_: Litestar) -> AsyncIterator[None]:
            async with self.running():
                yield

        hub = self.config.hub
        registry = CollectorRegistry()
        registry.register(self.gateway.measures)
        registry.register(BusMeasures(self.bus, self.relay))
        for part in self.capabilities:
            for collector in part.measures():
                registry.register(collector)
        application = Litestar(
            route_handlers=[
                *handshake_handlers(self.gateway, self.client_address, Bounds(max_message=hub.max_message_bytes)),
                *health_handlers({"store": self._check_store}, lambda: self.gateway.draining),
                challenge_handler(self.store, self.client_address, self.limits.sign_in.check_challenge),
                connect_check_handler(self.admission, hub.public_url, self.client_address, self.limits.sign_in),
                metrics_handler(registry, hub.operator_token),
                docs(),
                administration(
                    self.store, self.client_address, self.limits, self._presences, has_squads=self._has("groups")
                ),
            ],
            lifespan=[lifespan] if runs_hub else [],
            exception_handlers={
                RingforgeError: on_error,
                ValidationException: on_invalid,
                HTTPException: on_http_exception,
                RecursionError: on_too_deep,
                Exception: on_fault,
            },
            openapi_config=openapi_config(VERSION),
            logging_config=None,
            request_max_body_size=1024 * 1024,
        )
        add_routes(application, self.capabilities)
        return application

    async def replay(self, topic: Topic, query: ReplayFilter) -> Replay:
        if not await self.relay.settled(SETTLE_SECONDS):
            raise Unavailable(
                f"The event bus is behind: {self.relay.backlog} events wait for it, so the past would lack its end.",
                fix="Ask again in a moment; what comes live is not late.",
            )
        return await self.bus.replay(topic, query)

    def _load(self) -> Load:
        host, port = self.config.hub.address
        return Load(self.public_url or f"http://{host}:{port}", len(self.gateway.connections), self.gateway.draining)

    def _overloaded(self) -> Backpressure | None:
        waiting = self.relay.backlog
        if waiting <= self.config.event_bus.backlog:
            return None
        return Backpressure(f"The event bus does not keep up: {waiting} events wait for it.")

    def _topics(self) -> tuple[TopicKind, ...]:
        """All that a fleet has on the bus."""
        return HUB_TOPICS + tuple(topic for capability in self.capabilities for topic in capability.topics)

    def _counted(self) -> dict[str, list[sa.Select[tuple[str, int]]]]:
        """What the capabilities count of their tables, by quota."""
        counted: dict[str, list[sa.Select[tuple[str, int]]]] = defaultdict(list)
        for capability in self.capabilities:
            for resource, query in capability.counted.items():
                counted[resource].append(query)
        return counted

    async def retention_of(self, tenant_id: str) -> timedelta:
        of_hub = timedelta(hours=self.config.event_bus.retention_hours)
        return await self.limits.retention(tenant_id, of_hub=of_hub)

    async def includes(self, tenant_id: str, feature: Feature) -> bool:
        return feature in (await self.limits.plans.of(tenant_id)).features

    def _has(self, capability: str) -> bool:
        return any(part.name == capability for part in self.capabilities)

    async def _check_store(self) -> None:
        await self.store.read(lambda connection: connection.exec_driver_sql("SELECT 1").fetchone())


async def serve_hub(config: Config, plugins: Plugins, *, on_started: Callable[[Hub, str], None]) -> None:
    """Serve until SIGTERM or SIGINT, then drain. `on_started` gets the hub and its URL once it takes connections."""
    hub = Hub(config, plugins)
    settings = config.hub
    host, port = settings.address
    tls = None
    if settings.tls_certificate is not None and settings.tls_key is not None:
        tls = Tls(certificate=settings.tls_certificate, key=settings.tls_key)

    def started(host: str, port: int) -> None:
        shown = f"[{host}]" if ":" in host else host
        on_started(hub, settings.public_url or f"{'https' if tls else 'http'}://{shown}:{port}")
        settle_garbage_collector()

    async with hub.running():
        await serve(
            hub.application(runs_hub=False), host=host, port=port, tls=tls, on_started=started, lifespan=False,
            before_shutdown=lambda: hub.gateway.drain(seconds=settings.drain_seconds),
        )  # fmt: skip


def settle_garbage_collector() -> None:
    """Leave what was made at the start out of every collection, and collect less often: a message makes no cycles, and
    with the usual thresholds a busy hub spent a fifth of its time looking for some."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 20, 50)
    gc.enable()


def run(config: Config, plugins: Plugins, *, on_started: Callable[[Hub, str], None]) -> None:
    """`serve_hub` on the fastest event loop that is there."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(serve_hub(config, plugins, on_started=on_started))
