"""A capability: a family of events, each a typed method.

    class Echo(Capability):
        name = "echo"

        @event("echo:say", counts="messages_today", rate="50/minute", idempotent=True)
        async def say(self, call: Call, request: Say) -> Said:
            '''Say it back to the fleet.'''

From the declaration the core derives decoding and validation, errors, idempotency, metrics and the AsyncAPI document.
A plain `def` is answered at once; an `async def` may wait. A plain `def` that must wait after all returns a coroutine.
The events of one channel run one after another.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar, get_type_hints

import msgspec
import sqlalchemy as sa

from ringforge_core.errors import PluginError
from ringforge_core.plugin.administration import Administration
from ringforge_core.plugin.messages import Push, Reply, Request
from ringforge_core.plugin.records import Concern, Feature
from ringforge_core.plugin.tenancy import FoundTenant
from ringforge_core.ports.auth import Auth
from ringforge_core.ports.event_bus import Event, EventBus, Replay, ReplayFilter, Topic, TopicKind
from ringforge_core.ports.store import Charge, Departure, Once, Store, Transaction

if TYPE_CHECKING:  # Litestar takes a while to import, and who has no routes needs none of it
    from litestar.types import ControllerRouterHandler
    from prometheus_client.registry import Collector

    from ringforge_core.plugin.web.page import Page

Settings = TypeVar("Settings", bound=msgspec.Struct)
Method = TypeVar("Method", bound=Callable[..., Any])


class NoSettings(msgspec.Struct, forbid_unknown_fields=True):
    """For a capability without a table in the TOML."""


class AgentSession(msgspec.Struct):
    """One agent on one authenticated connection. `name` is the stored name, never what a payload claims."""

    session_id: str
    tenant_id: str
    fleet_id: str
    agent_id: str
    name: str | None
    key_id: str | None
    method: str
    framework: str | None = None
    capabilities: tuple[str, ...] = ()
    address: str | None = None


class Member(Protocol):
    """A joined channel: one agent on one connection and topic."""

    agent: AgentSession

    def push(self, push: Push) -> None:
        """Send to this channel only, after everything that was sent to it before."""

    def send(self, event: str, payload: bytes) -> None:
        """The same for a push that is encoded already."""

    def unsent(self) -> int | None:
        """The bytes that wait in this process for the channel's connection; None when that has ended.

        0: the kernel has taken everything that was sent. Whether the peer has it, only the peer can say.
        """


class Call(msgspec.Struct, frozen=True):
    """One request in flight: who asks, on which channel; `once` and `charges` are to be handed to `Store.apply`."""

    agent: AgentSession
    member: Member
    once: Once | None = None
    charges: tuple[Charge, ...] = ()


class Pushes(Protocol):
    """Sends to live connections of all hubs, at once and not logged. For what must not be lost, append an Event."""

    def to_fleet(self, fleet_id: str, push: Push, *, everywhere: bool = True) -> None:
        """With `everywhere` false only to the fleet's members at this hub."""

    def to_agent(self, fleet_id: str, agent_id: str, push: Push) -> int:
        """Returns the number of connections of this hub that got it; 0 when the agent is not here."""

    def close_agent(self, agent_id: str, *, code: int, reason: str) -> int:
        """Close every connection of the agent, wherever it is; returns how many were here."""

    def move_agent(self, agent_id: str, fleet_id: str) -> int:
        """Close the agent's channels in other fleets; its connections belong to this one from now on.

        Returns the number of channels closed.
        """


class Nodes(Protocol):
    """The hubs that work together."""

    @property
    def others(self) -> frozenset[str]:
        """The names of the other hubs that live."""

    def on_gone(self, listener: Callable[[str], Awaitable[object]]) -> None:
        """Call it with the name of each other hub that stopped, died, or started anew."""


class Hub(Protocol):
    """What a capability may use of the hub."""

    store: Store
    bus: EventBus
    pushes: Pushes
    node: str
    nodes: Nodes
    data_directory: Path
    """Where a capability may keep files of this node."""
    public_url: str | None
    """How people and agents reach the hub from outside, without a slash at its end; None: at the address it listens on."""
    auth: Mapping[str, Auth]
    """The adapters that sign people in, by their names in the TOML."""
    found_tenant: FoundTenant
    administration: Administration
    """What people may do in their tenant, for a capability that gives them pages."""

    def client_address(self, scope: Any) -> str | None:
        """Where the client of an ASGI scope really is, past the proxies that are trusted."""

    async def replay(self, topic: Topic, query: ReplayFilter) -> Replay:
        """The past as the bus keeps it, with everything that this hub has acknowledged; else `Unavailable`."""

    async def retention_of(self, tenant_id: str) -> timedelta:
        """How long the events and messages of a tenant are kept, by its plan."""

    async def includes(self, tenant_id: str, feature: Feature) -> bool:
        """Whether the tenant's plan includes it; a change of plan is seen within seconds."""

    @property
    def capabilities(self) -> Sequence[Capability[Any]]:
        """All that are in use, in the order of the TOML; complete once the first one is started."""


class EventDeclaration(msgspec.Struct, frozen=True):
    """What `@event` noted about a method, with the types of its signature."""

    name: str
    method: str
    request: type[Request]
    reply: type[Reply] | None
    summary: str
    counts: str | None = None
    rate: str | None = None
    idempotent: bool = False


def event(
    name: str, *, counts: str | None = None, rate: str | None = None, idempotent: bool = False,
    reply: type[Reply] | None = None,
) -> Callable[[Method], Method]:  # fmt: skip
    """Declare a method as the handler of the wire event `name`.

    `counts` is the quota that one accepted call uses up, `rate` a limit per agent such as `"50/minute"`,
    `idempotent` offers `_idempotency_key` to the client. `reply` is for a method that returns its reply already encoded,
    as `msgspec.Raw`; else the reply is what the method is annotated to return.
    """

    def note(method: Method) -> Method:
        method.__ringforge_event__ = {  # type: ignore[attr-defined]  # a note on the function, read by declarations()
            "name": name, "counts": counts, "rate": rate, "idempotent": idempotent, "reply": reply,
        }  # fmt: skip
        return method

    return note


class Capability(Generic[Settings]):
    """Base of all capabilities. It is made once per hub, started before the first connection, stopped after the last."""

    name: ClassVar[str]
    settings_type: ClassVar[type[msgspec.Struct]] = NoSettings
    pushes: ClassVar[tuple[type[Push], ...]] = ()
    topics: ClassVar[tuple[TopicKind, ...]] = ()
    """The bus topics of this capability's events, and how a broker is to lay them out."""
    join_type: ClassVar[type[Request] | None] = None
    """The fields of a join's payload that this capability reads; decoded and validated by the core."""
    migrations: ClassVar[str | None] = None
    """The package that holds the migrations of this capability's tables, e.g. `ringforge_tasks.migrations`."""

    home: ClassVar[str | None] = None
    """The path of a page that people land on after signing in, for a capability that gives such a page."""

    counted: ClassVar[Mapping[str, sa.Select[tuple[str, int]]]] = {}
    """Quotas that rows of this capability's tables use up: for each a query of tenant ids and how much they use, by which
    the counter is set right at a start. The capability charges its changes itself, see `Transaction.charge`."""

    def __init__(self, hub: Hub, settings: Settings) -> None:
        self.hub = hub
        self.settings = settings

    async def start(self) -> None:
        """Start background work."""

    async def stop(self) -> None:
        """Stop and await everything that `start` began."""

    def routes(self) -> Sequence[ControllerRouterHandler]:
        """HTTP routes: Litestar handlers, controllers and routers; for browsers made with `web.browser_routes`.

        Asked once, after all capabilities are made. None may have a path that core or another capability has.
        """
        return ()

    def pages(self) -> Sequence[Page]:
        """Pages of the dashboard."""
        return ()

    def measures(self) -> Sequence[Collector]:
        """What `/metrics` tells of this capability, by names that begin with `ringforge_`."""
        return ()

    async def attention(self, tenant_id: str, fleet_id: str) -> Sequence[Concern]:
        """What people should look at in this fleet of the tenant: the few that press most, those first.

        The dashboard asks with each look at its overview, so it must be cheap.
        """
        return ()

    def greeting(self, url: str) -> str | None:
        """What the operator reads in their terminal once the hub serves at `url`: never logged, so it may hold a secret."""
        return None

    @staticmethod
    def see_off(tx: Transaction, departures: Sequence[Departure]) -> None:
        """See to what agents leave behind in tables of this capability, in the transaction that deletes or moves them and
        before it does. The command line works without it, so it must not be the only way."""

    async def on_join(self, member: Member, fields: Any) -> None:
        """A channel joined: called in the order of the TOML after the join reply; `fields` is a `join_type`."""

    def on_leave(self, member: Member) -> None:
        """A channel left or its connection ended; called exactly once per `on_join`."""

    def on_fleet_opened(self, fleet_id: str) -> None:
        """This hub hears the fleet's events from now on: what it remembered of the fleet until now may be outdated."""

    def heard(self, event: Event) -> None:
        """An event of the capability's topics, committed by this hub or another one; it is pushed after this.

        Called once for each, in `seq` order, while the fleet has agents here.
        """

    def recipients(self, event: Event) -> Iterable[str] | None:
        """The agent ids that an event of the capability's topics is pushed to; None is the whole fleet, empty nobody.

        Also decides what a resume may see.
        """
        return event.audience.agents

    @classmethod
    def declarations(cls) -> Sequence[EventDeclaration]:
        """The events of this capability, in the order of definition; raises `PluginError` for a wrong signature."""
        return [
            _declare(cls, name, note)
            for base in reversed(cls.__mro__)
            for name, member in vars(base).items()
            if (note := getattr(member, "__ringforge_event__", None))
        ]


def _declare(owner: type[Capability[Any]], method: str, note: dict[str, Any]) -> EventDeclaration:
    function = getattr(owner, method)
    hints = get_type_hints(function)
    request, reply = hints.get("request"), note["reply"] or hints.get("return")
    if not (isinstance(request, type) and issubclass(request, Request)):
        raise PluginError(
            f"{owner.__name__}.{method} ({note['name']}) must take `request`, a subclass of Request.",
            fix="Write the handler as `async def handler(self, call: Call, request: MyRequest) -> MyReply`.",
        )
    declared = {
        "request": request,
        "reply": reply if isinstance(reply, type) and issubclass(reply, Reply) else None,
        "summary": " ".join((function.__doc__ or "").split()),
    }
    return EventDeclaration(**{"method": method, **note, **declared})
