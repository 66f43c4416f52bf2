"""`ringforge asyncapi`"""

from __future__ import annotations

import os
from importlib.metadata import version

import rich_click as click

from ringforge_core.cli.configuration import config_option, configuration
from ringforge_core.cli.lazy import Command
from ringforge_core.cli.output import print_json
from ringforge_core.config import load_plugins
from ringforge_core.plugin.manager import PluginManager
from ringforge_core.socket.asyncapi import document

EPILOG = """
Examples:

  ringforge asyncapi > asyncapi.json
  ringforge asyncapi --url wss://hub.example.org
"""


@click.command(cls=Command, epilog=EPILOG)
@config_option
@click.option("--url", metavar="URL", help="Where the hub is reached, for the document's list of servers.")
def asyncapi(url: str | None) -> None:
    """Print the AsyncAPI document (JSON) of every event that the configured capabilities take and send."""
    config = configuration()
    plugins = load_plugins(config, PluginManager(), os.environ)
    capabilities = [loaded.capability for loaded in plugins.capabilities]
    print_json(document(capabilities, version=version("ringforge-core"), url=url or config.hub.public_url))
