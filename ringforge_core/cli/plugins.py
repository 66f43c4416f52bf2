"""`ringforge plugins`"""

from __future__ import annotations

import msgspec
import rich_click as click

from ringforge_core.cli.configuration import config_option, configuration
from ringforge_core.cli.lazy import Command
from ringforge_core.cli.output import json_option, print_json, print_table
from ringforge_core.plugin.manager import InstalledPlugin, PluginManager

EPILOG = """
Examples:

  ringforge plugins
  ringforge plugins --json

A plugin is installed with pip and used by naming it in the TOML, under [event_bus] use or [capabilities] use.
"""


class ListedPlugin(msgspec.Struct, frozen=True):
    name: str
    port: str
    in_use: bool
    distribution: str
    version: str
    module: str
    source: str


@click.command(cls=Command, epilog=EPILOG)
@config_option
@json_option
def plugins(as_json: bool) -> None:
    """List the plugins that are installed, and which of them are in use. None is imported."""
    in_use = {(table.port, name) for table in configuration().plugin_tables().values() for name in table.in_use()}
    listed = [_listed(plugin, in_use) for plugin in PluginManager().installed()]
    if as_json:
        print_json(listed)
        return
    print_table(
        ("NAME", "PORT", "IN USE", "VERSION", "DISTRIBUTION", "SOURCE"),
        [
            (plugin.name, plugin.port, "yes" if plugin.in_use else "", plugin.version, plugin.distribution, plugin.source)
            for plugin in listed
        ],
    )


def _listed(plugin: InstalledPlugin, in_use: set[tuple[str, str]]) -> ListedPlugin:
    return ListedPlugin(
        name=plugin.name,
        port=plugin.port,
        in_use=(plugin.port, plugin.name) in in_use,
        distribution=plugin.distribution,
        version=plugin.version,
        module=plugin.module,
        source=plugin.source,
    )
