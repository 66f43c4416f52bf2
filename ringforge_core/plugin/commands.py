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

from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ringforge_core.ports.store import Store

COMMANDS = "ringforge.commands"


class ConfiguredPlugins(Protocol):
    def adapter_settings(self, port: str, name: str) -> Any:
        """The adapter's table, decoded. Raises `ConfigError` when the configuration is wrong or names another adapter."""

    def capability_settings(self, name: str) -> Any:
        """The capability's table, decoded. Raises `ConfigError` as above."""

    def opened_store(self) -> AbstractAsyncContextManager[Store]:
        """The hub's store, with the tables of all that is in use; a hub may be running on it."""

    @property
    def data_directory(self) -> Path: ...

    @property
    def hub_url(self) -> str:
        """How people reach the hub, without a slash at its end."""

    def print_json(self, value: Any) -> None: ...

    def print_table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Columns under headings; in a pipe a row stays on one line."""
