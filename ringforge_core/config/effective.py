"""What is in effect after file, environment and command line, and where each value came from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from ringforge_core.config.fields import is_table, named_table
from ringforge_core.config.plugins import Plugins
from ringforge_core.config.settings import Config, PluginTable
from ringforge_core.config.toml_text import toml_text
from ringforge_core.config.tree import KeyPath, Origins
from ringforge_core.plugin.manager import CAPABILITY


class EffectiveValue(msgspec.Struct, frozen=True):
    """`value` is TOML text with secrets redacted, None when unset; `origin` a file, a variable, an option or `default`."""

    table: str
    key: str
    value: str | None
    origin: str


def effective_values(config: Config, plugins: Plugins) -> list[EffectiveValue]:
    """Every setting of core and of the plugins in use, in the order of the file."""
    values: list[EffectiveValue] = []
    for name in Config.tables():
        settings = getattr(config, name)
        values += _values(settings, (name,), config.origins)
        if isinstance(settings, PluginTable):
            for plugin, its_settings in _plugin_settings(settings.port, plugins):
                values += _values(its_settings, (name, plugin), config.origins)
    return values


def _plugin_settings(port: str, plugins: Plugins) -> list[tuple[str, Any]]:
    loaded = plugins.capabilities if port == CAPABILITY else plugins.adapters[port]
    return [(plugin.name, plugin.settings) for plugin in loaded]


def _values(settings: msgspec.Struct, table: KeyPath, origins: Origins) -> Iterator[EffectiveValue]:
    for field in msgspec.structs.fields(settings):
        if isinstance(settings, PluginTable) and field.name == "tables":
            continue
        value, path = getattr(settings, field.name), (*table, field.encode_name)
        if is_table(field.type) and value is not None:
            yield from _values(value, path, origins)
        elif named_table(field.type) is not None:
            for name, inner in value.items():
                yield from _values(inner, (*path, name), origins)
        else:
            text = None if value is None else toml_text(value)
            yield EffectiveValue(".".join(table), field.encode_name, text, origins.of(path) or "default")
