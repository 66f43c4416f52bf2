"""`ringforge.example.toml`, written from the settings structs of core and of the plugins."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

import msgspec
from msgspec import NODEFAULT

from ringforge_core.config.fields import Setting, settings_of
from ringforge_core.config.settings import Config
from ringforge_core.config.toml_text import toml_text
from ringforge_core.config.tree import KeyPath
from ringforge_core.plugin.manager import CAPABILITY, InstalledPlugin, PluginManager

HEAD = """\
# Ringforge: every setting with its default. Copy this file to ringforge.toml and take the # off what you change.
#
# Each key can also be set by an environment variable: RINGFORGE__EVENT_BUS__USE=kafka is `use` in [event_bus].
# A secret can be given as "file:/run/secrets/name" or "env:NAME". `ringforge check-config` shows what is in effect.
# Written by `ringforge check-config --example`.
"""


def example_toml(manager: PluginManager, plugins: Iterable[InstalledPlugin]) -> str:
    """Every setting of core and of these plugins, which are imported for it; raises `PluginError` for a broken one."""
    chosen = list(plugins)
    parts = [HEAD]
    for name, settings_type in Config.tables().items():
        parts.append(_table(settings_type, (name,)))
        port = getattr(settings_type, "port", None)
        parts += [_table(_settings_type(manager, plugin), (name, plugin.name)) for plugin in chosen if plugin.port == port]
    return "\n".join(part for part in parts if part)


def _settings_type(manager: PluginManager, plugin: InstalledPlugin) -> type[msgspec.Struct]:
    if plugin.port == CAPABILITY:
        return manager.capability(plugin.name).settings_type
    return manager.adapter(plugin.port, plugin.name).settings_type


def _table(settings_type: type[msgspec.Struct], path: KeyPath) -> str:
    """One table with its keys; nothing for a plugin without settings."""
    lines: list[str] = []
    table: KeyPath = ()
    settings = list(settings_of(settings_type, path))
    needy = {setting.table for setting in settings if setting.required} | _unless_empty(settings_type, path)
    for setting in settings:
        if setting.table != table:
            table = setting.table
            mark = "#" if table in needy else ""  # a table that is there must have what it needs
            lines += ["", f"{mark}[{'.'.join(table)}]"]
            lines += _comment(settings_type.__doc__ or "") if table == path else []
        lines += ["", *_setting(setting)]
    return "\n".join([*lines[1:], ""]) if lines else ""


def _unless_empty(settings_type: type[msgspec.Struct], path: KeyPath) -> set[KeyPath]:
    """This table when it may not be empty, although none of its own keys is needed."""
    try:
        settings_type()
    except (TypeError, ValueError):
        return {path}
    return set()


def _setting(setting: Setting) -> Iterator[str]:
    yield from _comment(setting.description)
    if setting.default is not NODEFAULT and setting.default is not None:
        yield f"#{setting.key} = {toml_text(setting.default)}"
        return
    for example in setting.examples:
        yield f"#{setting.key} = {toml_text(example)}"


def _comment(text: str) -> Iterator[str]:
    for line in textwrap.wrap(" ".join(text.split()), width=110):
        yield f"# {line}"
