"""Every setting of core with its default and description; `ringforge.example.toml` is written from these.

A `__post_init__` that raises `ValueError("key: what is wrong")` is reported at that key.
"""

from __future__ import annotations

import ipaddress
import platform
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta, field

from ringforge_core.config.tree import Origins
from ringforge_core.limits.settings import LimitsSettings
from ringforge_core.plugin.secret import Secret
from ringforge_core.store.settings import StoreSettings


class HubSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The server: where it listens, what it keeps where, and how much one connection may take."""

    listen: Annotated[
        str, Meta(description="HOST:PORT to serve on; port 0 takes a free one. An IPv6 host goes in brackets.")
    ] = "127.0.0.1:4000"
    data_directory: Annotated[
        Path,
        Meta(
            description="Where the hub keeps its files, relative to the working directory. The database lies in it, too,"
            " unless [store] url names another one."
        ),
    ] = Path("ringforge-data")
    node: Annotated[
        str,
        Meta(
            description="This hub's name among several, in logs and metrics. Default: the host's name.",
            examples=["hub-1"],
            min_length=1,
        ),
    ] = field(default_factory=lambda: platform.node() or "hub")
    public_url: Annotated[
        str | None,
        Meta(
            description="How agents reach the hub from outside, if not at `listen`.",
            examples=["https://hub.example.org"],
        ),
    ] = None
    max_message_bytes: Annotated[
        int, Meta(description="The largest message a client may send; above it: 1009.", ge=1024)
    ] = 1024 * 1024
    max_buffered_bytes: Annotated[
        int, Meta(description="How much may wait for one slow connection before it is closed.", ge=64 * 1024)
    ] = 4 * 1024 * 1024
    idle_seconds: Annotated[
        float, Meta(description="Close a connection that sent nothing, not even a heartbeat, for so long.", gt=0)
    ] = 60
    join_deadline_seconds: Annotated[
        float, Meta(description="Close a connection that has not joined a fleet within this time.", gt=0)
    ] = 10
    drain_seconds: Annotated[
        float, Meta(description="At a stop: how long connections may finish before they are cut.", ge=0)
    ] = 30
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(
            description="Addresses or networks of proxies whose X-Forwarded-For is believed.",
            examples=[["10.0.0.0/8"]],
        ),
    ] = ()
    operator_token: Annotated[
        Secret | None,
        Meta(
            description="Bearer token that guards /metrics.",
            examples=["file:/run/secrets/operator_token"],
        ),
    ] = None
    tls_certificate: Annotated[
        Path | None,
        Meta(description="PEM file with the certificate chain; serves https and wss.", examples=["/etc/ringforge/tls.crt"]),
    ] = None
    tls_key: Annotated[
        Path | None,
        Meta(description="PEM file with the certificate's private key.", examples=["/etc/ringforge/tls.key"]),
    ] = None

    def __post_init__(self) -> None:
        self.address  # noqa: B018 — raises when `listen` is malformed
        for proxy in self.trusted_proxies:
            try:
                ipaddress.ip_network(proxy)
            except ValueError as error:
                raise ValueError(f"trusted_proxies: {error}") from None
        if (self.tls_certificate is None) != (self.tls_key is None):
            present, absent = ("tls_certificate", "tls_key") if self.tls_certificate else ("tls_key", "tls_certificate")
            raise ValueError(f"{present}: needs {absent} beside it")

    @property
    def address(self) -> tuple[str, int]:
        """`listen` as host and port; the brackets of an IPv6 host are taken off."""
        host, _, port = self.listen.rpartition(":")
        if not host or not port.isdecimal() or int(port) > 65535 or (":" in host and not host.startswith("[")):
            raise ValueError(f'listen: expected HOST:PORT such as "127.0.0.1:4000", got "{self.listen}"')
        return host.strip("[]"), int(port)


class LogSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the hub writes to stderr."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="The least severe level that is written.")
    ] = "info"
    format: Annotated[
        Literal["auto", "human", "json"],
        Meta(description="`auto` is human in a terminal and JSON lines otherwise."),
    ] = "auto"


class PluginTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table that names plugins in `use` and holds one table of settings per plugin, `[<table>.<plugin>]`.

    The plugins' tables stay as they were written: only the plugin knows their keys.
    """

    port: ClassVar[str]
    tables: dict[str, Any] = field(default_factory=dict)

    def in_use(self) -> tuple[str, ...]:
        """The plugins that `use` names: one, or several in their order."""
        use: str | tuple[str, ...] = self.use  # type: ignore[attr-defined]  # each table declares its own, with its default
        return (use,) if isinstance(use, str) else use


class EventBusSettings(PluginTable, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The log of what happened, and its way to every node."""

    port: ClassVar[str] = "event_bus"
    use: Annotated[str, Meta(description="The adapter that carries the events; see `ringforge plugins`.")] = "local"
    backlog: Annotated[
        int,
        Meta(
            description="Events that may wait for a broker that is away or slow; with more, changes are answered with"
            " `backpressure`.",
            ge=1,
        ),
    ] = 100_000
    retention_hours: Annotated[
        float, Meta(gt=0, description="How long events and messages are kept, where a plan does not say it.")
    ] = 168


class AuthSettings(PluginTable, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who proves the identity of people, besides their password; needs the capability accounts."""

    port: ClassVar[str] = "auth"
    use: Annotated[
        tuple[str, ...], Meta(description="The ways to sign in, in the order of their buttons; see `ringforge plugins`.")
    ] = ()


class CapabilitiesSettings(PluginTable, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What agents can do here."""

    port: ClassVar[str] = "capability"
    use: Annotated[
        tuple[str, ...],
        Meta(description="The capabilities, in the order in which they see a join; see `ringforge plugins`."),
    ] = ("presence", "activity", "replay", "memory", "inbox", "direct", "groups", "auth", "profiles", "fleets")

    def __post_init__(self) -> None:
        doubles = sorted({name for name in self.use if self.use.count(name) > 1})
        if doubles:
            raise ValueError(f"use: names {', '.join(doubles)} more than once")


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of `ringforge.toml`. `origins` tells where each value came from; what it does not name is a default."""

    hub: HubSettings = field(default_factory=HubSettings)
    log: LogSettings = field(default_factory=LogSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    event_bus: EventBusSettings = field(default_factory=EventBusSettings)
    auth: AuthSettings = field(default_factory=AuthSettings)
    capabilities: CapabilitiesSettings = field(default_factory=CapabilitiesSettings)
    limits: LimitsSettings = field(default_factory=LimitsSettings)
    origins: Origins = field(default_factory=Origins)

    @classmethod
    def tables(cls) -> dict[str, type[msgspec.Struct]]:
        """The tables of the TOML: the struct of each by its name."""
        return {field.name: field.type for field in msgspec.structs.fields(cls) if field.name != "origins"}

    def plugin_tables(self) -> dict[str, PluginTable]:
        """The tables that name plugins, by their name in the TOML."""
        values = ((name, getattr(self, name)) for name in self.__struct_fields__)
        return {name: value for name, value in values if isinstance(value, PluginTable)}
