"""The hooks of Ringforge: two, synchronous, and each hands over one object.

A plugin is a module that an entry point in the group `ringforge.plugins` names. The entry point's own name says what
it brings: `<port>.<name>` for an adapter (`event_bus.kafka`), `capability.<name>` for a capability. So the hub can list
what is installed without importing it, and imports only what the TOML names.

    # pyproject.toml
    [project.entry-points."ringforge.plugins"]
    "event_bus.nats" = "ringforge_eventbus_nats"

    # ringforge_eventbus_nats/__init__.py
    from ringforge_core.plugin import Adapter, hookimpl

    @hookimpl
    def ringforge_adapter() -> Adapter:
        return Adapter(port=EventBus, settings_type=NatsSettings, create=NatsEventBus)
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pluggy

if TYPE_CHECKING:
    from ringforge_core.plugin.capability import Capability
    from ringforge_core.ports.store import Store

hookspec = pluggy.HookspecMarker("ringforge")
hookimpl = pluggy.HookimplMarker("ringforge")


class AdapterContext(msgspec.Struct, frozen=True):
    """What the hub gives an adapter besides its settings: where to keep files, the store, this node's name, and how the
    hub is reached from outside, if that is set (without a slash at its end)."""

    data_directory: Path
    store: Store
    node: str
    public_url: str | None = None


class Adapter(msgspec.Struct, frozen=True):
    """One implementation of a port: `create(settings, context)` makes it without connecting."""

    port: type[Any]
    settings_type: type[msgspec.Struct]
    create: Callable[[Any, AdapterContext], Any]


@hookspec(firstresult=True)
def ringforge_adapter() -> Adapter:  # type: ignore[empty-body]  # a specification has no body
    """Hand over the adapter of the port that the entry point's name starts with."""


@hookspec(firstresult=True)
def ringforge_capability() -> type[Capability[Any]]:  # type: ignore[empty-body]  # a specification has no body
    """Hand over the capability's class; the hub makes one instance."""
