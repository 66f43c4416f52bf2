"""The plugins that the configuration names, loaded, each with its own table decoded."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import msgspec

from ringforge_core.config.decode import Decoder
from ringforge_core.config.problems import Problems
from ringforge_core.config.settings import Config, PluginTable
from ringforge_core.errors import PluginError
from ringforge_core.plugin.capability import Capability
from ringforge_core.plugin.hookspecs import Adapter
from ringforge_core.plugin.manager import CAPABILITY, PluginManager


class LoadedAdapter(msgspec.Struct, frozen=True):
    name: str
    adapter: Adapter
    settings: Any


class LoadedCapability(msgspec.Struct, frozen=True):
    name: str
    capability: type[Capability[Any]]
    settings: Any


class Plugins(msgspec.Struct, frozen=True):
    """What the hub is made of: the adapters in use by port, and the capabilities in the order of the TOML."""

    adapters: dict[str, tuple[LoadedAdapter, ...]]
    capabilities: tuple[LoadedCapability, ...]
    warnings: tuple[str, ...] = ()

    def adapter(self, port: str) -> LoadedAdapter:
        """The adapter of a port that has exactly one."""
        (adapter,) = self.adapters[port]
        return adapter

    @property
    def migrations(self) -> tuple[str, ...]:
        """The packages of migrations of the capabilities."""
        packages = (loaded.capability.migrations for loaded in self.capabilities)
        return tuple(package for package in packages if package is not None)


def load_plugins(
    config: Config, manager: PluginManager, environ: Mapping[str, str], *, check_unused: bool = False
) -> Plugins:
    """Import the plugins in use and decode their tables; raises `PluginError` or `ConfigError`, all that is wrong at once.

    A table of a plugin that is not in use is a warning when that plugin is not installed. With `check_unused` it is
    decoded too when it is, which imports the plugin.
    """
    problems = Problems(config.origins)
    loader = _Loader(manager, Decoder(problems, environ), problems)
    warnings: list[str] = []
    for name, table in config.plugin_tables().items():
        for plugin in table.in_use():
            loader.load(name, table, plugin)
        for plugin in table.tables.keys() - set(table.in_use()):
            if not manager.is_installed(table.port, plugin):
                warnings.append(_unused(config, name, table, plugin, manager))
            elif check_unused:
                loader.load(name, table, plugin, keep=False)
    problems.raise_any()
    ports = [table.port for table in config.plugin_tables().values() if table.port != CAPABILITY]
    adapters = {port: tuple(loader.adapters.get(port, ())) for port in ports}
    return Plugins(adapters, tuple(loader.capabilities), tuple(sorted(warnings)))


class _Loader:
    def __init__(self, manager: PluginManager, decoder: Decoder, problems: Problems) -> None:
        self._manager = manager
        self._decoder = decoder
        self._problems = problems
        self.adapters: dict[str, list[LoadedAdapter]] = {}
        self.capabilities: list[LoadedCapability] = []

    def load(self, table_name: str, table: PluginTable, name: str, *, keep: bool = True) -> None:
        loaded: Adapter | type[Capability[Any]]
        try:
            loaded = self._manager.capability(name) if table.port == CAPABILITY else self._manager.adapter(table.port, name)
        except PluginError as error:
            self._problems.add_error(error)
            return
        settings = self._decoder.table(loaded.settings_type, table.tables.get(name, {}), (table_name, name))
        if settings is None or not keep:
            return
        if isinstance(loaded, Adapter):
            self.adapters.setdefault(table.port, []).append(LoadedAdapter(name, loaded, settings))
        else:
            self.capabilities.append(LoadedCapability(name, loaded, settings))


def _unused(config: Config, name: str, table: PluginTable, plugin: str, manager: PluginManager) -> str:
    known = [installed.name for installed in manager.installed() if installed.port == table.port]
    nearest = difflib.get_close_matches(plugin, known, n=1)
    hint = f"; did you mean [{name}.{nearest[0]}]?" if nearest else ""
    where = config.origins.near((name, plugin)) or "configuration"
    return f'{where}: [{name}.{plugin}] is not used, and no plugin "{plugin}" is installed{hint}'
