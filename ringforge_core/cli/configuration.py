"""The option `--config`, before or after the command, and the configuration that it leads to."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import rich_click as click
from click import get_current_context

from ringforge_core.cli.lazy import load
from ringforge_core.config import Config, Override, Plugins, load_config, load_plugins
from ringforge_core.errors import ConfigError
from ringforge_core.plugin.manager import PluginManager
from ringforge_core.ports.store import Store

_FILE = "ringforge_core.cli.configuration.file"


def _remember(ctx: click.Context, _: click.Parameter, file: Path | None) -> None:
    if file is not None:
        ctx.meta[_FILE] = file


config_option = click.option(
    "--config", type=click.Path(path_type=Path), metavar="PATH", expose_value=False, callback=_remember, is_eager=True,
    help="The TOML file; without it: what RINGFORGE_CONFIG names, else ./ringforge.toml if it is there.",
)  # fmt: skip


def configuration(overrides: Iterable[Override] = ()) -> Config:
    """The configuration in effect for the running command; raises `ConfigError`."""
    return load_config(get_current_context().meta.get(_FILE), os.environ, overrides)


class Configured:
    """What commands of plugins may know of the configuration: see `ringforge_core.plugin.commands`."""

    def adapter_settings(self, port: str, name: str) -> Any:
        in_use = self._plugins().adapters[port]
        for loaded in in_use:
            if loaded.name == name:
                return loaded.settings
        raise ConfigError(
            f"the hub does not use {port}.{name} but {', '.join(loaded.name for loaded in in_use) or 'none'}",
            fix=f'Write use = "{name}" under [{port}], or name the right file with --config.',
        )

    def capability_settings(self, name: str) -> Any:
        in_use = self._plugins().capabilities
        for loaded in in_use:
            if loaded.name == name:
                return loaded.settings
        raise ConfigError(
            f"the hub does not use the capability {name}",
            fix=f'Add "{name}" to [capabilities] use, or name the right file with --config.',
        )

    def opened_store(self) -> AbstractAsyncContextManager[Store]:
        open_store = load("ringforge_core.cli.store:opened_store")
        opened: AbstractAsyncContextManager[Store] = open_store(configuration(), self._plugins().migrations)
        return opened

    @property
    def data_directory(self) -> Path:
        return configuration().hub.data_directory

    @property
    def hub_url(self) -> str:
        hub = configuration().hub
        return (hub.public_url or f"{'https' if hub.tls_certificate else 'http'}://{hub.listen}").rstrip("/")

    def print_json(self, value: Any) -> None:
        load("ringforge_core.cli.output:print_json")(value)

    def print_table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        load("ringforge_core.cli.output:print_table")(columns, rows)

    def _plugins(self) -> Plugins:
        return load_plugins(configuration(), PluginManager(), os.environ)
