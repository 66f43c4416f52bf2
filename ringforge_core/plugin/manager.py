"""Finds plugins by their entry points and imports only those that are asked for.

Whatever is wrong with a plugin, it is one `PluginError` that names the plugin, its distribution and the cause.
"""

from __future__ import annotations

import difflib
import json
from functools import cache
from importlib.metadata import Distribution, EntryPoint, entry_points
from typing import Any, NamedTuple

import msgspec
import pluggy

from ringforge_core.errors import PluginError
from ringforge_core.plugin import hookspecs
from ringforge_core.plugin.capability import Capability
from ringforge_core.plugin.hookspecs import Adapter
from ringforge_core.ports.auth import Auth
from ringforge_core.ports.event_bus import EventBus

GROUP = "ringforge.plugins"
CORE = "ringforge-core"
CAPABILITY = "capability"
PORTS: dict[str, type[Any]] = {"event_bus": EventBus, "auth": Auth}
"""The ports that a plugin can implement, by the name that its entry point starts with."""


class InstalledPlugin(msgspec.Struct, frozen=True):
    """What is known of a plugin without importing it.

    `port` is `event_bus` … or `capability`; `source` is `core`, the URL that it was installed from (PEP 610: a checkout,
    a wheel file), or the directory that it lies in.
    """

    name: str
    port: str
    module: str
    distribution: str
    version: str
    source: str

    @property
    def entry_point(self) -> str:
        return f"{self.port}.{self.name}"


class PluginManager:
    """Hands over adapters and capabilities by name; makes none of them."""

    def __init__(self) -> None:
        self._entries: dict[InstalledPlugin, EntryPoint] | None = None

    def installed(self) -> list[InstalledPlugin]:
        """Every plugin of this Python environment, sorted by port and name; imports none."""
        if self._entries is None:
            origin = cache(_origin)  # to read a distribution's metadata takes half a millisecond, each time
            found = {_describe(entry, origin(entry.dist)): entry for entry in entry_points(group=GROUP)}
            order = sorted(found, key=lambda plugin: (plugin.port, plugin.name, plugin.distribution))
            self._entries = {plugin: found[plugin] for plugin in order}
        return list(self._entries)

    def is_installed(self, port: str, name: str) -> bool:
        return any(plugin.port == port and plugin.name == name for plugin in self.installed())

    def adapter(self, port: str, name: str) -> Adapter:
        """Import the adapter `name` of `port`."""
        plugin = self._find(port, name)
        adapter = self._call_hook(plugin, "ringforge_adapter")
        if not isinstance(adapter, Adapter):
            raise _broken(plugin, f"its hook ringforge_adapter returned {_kind(adapter)}, not an Adapter")
        if adapter.port is not PORTS[port]:
            raise _broken(plugin, f"its adapter implements {_kind(adapter.port)}, not {PORTS[port].__name__}")
        return adapter

    def capability(self, name: str) -> type[Capability[Any]]:
        """Import the class of the capability `name`; its events are declared soundly."""
        plugin = self._find(CAPABILITY, name)
        capability = self._call_hook(plugin, "ringforge_capability")
        if not (isinstance(capability, type) and issubclass(capability, Capability)):
            raise _broken(plugin, f"its hook ringforge_capability returned {_kind(capability)}, not a Capability class")
        if getattr(capability, "name", None) != name:
            raise _broken(plugin, f"its class {capability.__name__} has another name than its entry point")
        try:
            capability.declarations()
        except Exception as error:
            raise _broken(plugin, _cause(error)) from error
        return capability

    def _find(self, port: str, name: str) -> InstalledPlugin:
        found = [plugin for plugin in self.installed() if plugin.port == port and plugin.name == name]
        if not found:
            raise self._missing(port, name)
        if len(found) > 1:
            owners = " and ".join(plugin.distribution for plugin in found)
            raise PluginError(
                f"{_setting(port, name)}: {owners} both bring a plugin of this name.",
                fix=f"Keep one: pip uninstall {found[-1].distribution}",
            )
        return found[0]

    def _call_hook(self, plugin: InstalledPlugin, hook: str) -> Any:
        """Import the plugin and call its hook; a registry of its own keeps other plugins from answering."""
        registry = pluggy.PluginManager("ringforge")
        registry.add_hookspecs(hookspecs)
        try:
            # Not pluggy's `load_setuptools_entrypoints`: it reads every distribution again for each plugin.
            registry.register((self._entries or {})[plugin].load(), name=plugin.entry_point)
            registry.check_pending()
            answer = getattr(registry.hook, hook)()
        except (Exception, SystemExit) as error:  # a stranger's code may raise anything
            raise _broken(plugin, _cause(error)) from error
        if answer is None:
            raise _broken(plugin, f"{plugin.module} has no hook {hook}")
        return answer

    def _missing(self, port: str, name: str) -> PluginError:
        known = sorted({plugin.name for plugin in self.installed() if plugin.port == port})
        nearest = difflib.get_close_matches(name.lower(), known, n=1)
        family = "" if port == CAPABILITY else port.replace("_", "") + "-"
        install = f"pip install ringforge-{family}{name}"
        return PluginError(
            f"{_setting(port, name)}: no such plugin is installed; installed: {', '.join(known) or 'none'}.",
            fix=f'Write "{nearest[0]}", or: {install}' if nearest else f"{install}  # or the package that brings it",
        )


class _Origin(NamedTuple):
    distribution: str = "?"
    version: str = "?"
    source: str = "?"


def _describe(entry: EntryPoint, origin: _Origin) -> InstalledPlugin:
    port, _, name = entry.name.partition(".")
    return InstalledPlugin(name=name, port=port, module=entry.value, **origin._asdict())


def _origin(distribution: Distribution | None) -> _Origin:
    if distribution is None:
        return _Origin()
    name = distribution.name
    return _Origin(name, distribution.version, "core" if name == CORE else _source(distribution))


def _source(distribution: Distribution) -> str:
    direct = distribution.read_text("direct_url.json")
    return str(json.loads(direct)["url"]) if direct else str(distribution.locate_file(""))


def _broken(plugin: InstalledPlugin, cause: str) -> PluginError:
    return PluginError(
        f"{_setting(plugin.port, plugin.name)}: the plugin {plugin.entry_point}"
        f" of {plugin.distribution} {plugin.version} is broken: {cause}",
        fix=f"Reinstall or update {plugin.distribution}, or take {plugin.name} out of the configuration.",
    )


def _setting(port: str, name: str) -> str:
    return f'[capabilities] use has "{name}"' if port == CAPABILITY else f'[{port}] use = "{name}"'


def _cause(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _kind(value: Any) -> str:
    return value.__name__ if isinstance(value, type) else type(value).__name__
