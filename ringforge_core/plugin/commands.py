"""Commands of plugins: `ringforge pulsar functions deploy`.

An entry point in the group `ringforge.commands` names a click command; its name is the word after `ringforge`. It is
imported only when somebody asks for it. What the hub's configuration says of the plugin is in click's context:

    # pyproject.toml
    [project.entry-points."ringforge.commands"]
    nats = "ringforge_eventbus_nats.commands:nats"

    # ringforge_eventbus_nats/commands.py
    @click.group()
    @click.pass_obj
    def nats(configured: ConfiguredPlugins) -> None:
        settings = configured.adapter_settings("event_bus", "nats")
"""

from __future__ import annotations

from typing import Any, Protocol

COMMANDS = "ringforge.commands"


class ConfiguredPlugins(Protocol):
    def adapter_settings(self, port: str, name: str) -> Any:
        """The adapter's table, decoded. Raises `ConfigError` when the configuration is wrong or names another adapter."""
