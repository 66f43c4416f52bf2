"""`ringforge check-config`"""

from __future__ import annotations

import os
from typing import Any

import rich_click as click

from ringforge_core.cli.configuration import config_option, configuration
from ringforge_core.cli.lazy import Command
from ringforge_core.cli.output import json_option, print_json, print_table
from ringforge_core.config import load_plugins
from ringforge_core.config.effective import EffectiveValue, effective_values
from ringforge_core.config.example import example_toml
from ringforge_core.plugin.manager import PluginManager

EPILOG = """
Examples:

  ringforge check-config
  ringforge --config /etc/ringforge.toml check-config --json
  ringforge check-config --example > ringforge.toml

Exit codes: 0 the configuration is good, 78 it is not; all that is wrong is told at once.
"""


@click.command("check-config", cls=Command, epilog=EPILOG)
@config_option
@json_option
@click.option(
    "--example", is_flag=True, help="Print a commented file with every setting of core and the installed plugins."
)
def check_config(as_json: bool, example: bool) -> None:
    """Check the configuration; show what is in effect and where each value came from, secrets redacted."""
    manager = PluginManager()
    if example:
        click.echo(example_toml(manager, manager.installed()), nl=False)
        return
    config = configuration()
    plugins = load_plugins(config, manager, os.environ, check_unused=True)
    values = effective_values(config, plugins)
    for warning in plugins.warnings:
        click.echo(f"warning: {warning}", err=True)
    if as_json:
        print_json({"file": config.origins.file, "settings": values, "warnings": plugins.warnings})
        return
    print_table(("SETTING", "VALUE", "FROM"), map(_row, values))


def _row(value: EffectiveValue) -> Any:
    return (f"[{value.table}] {value.key}", "not set" if value.value is None else value.value, value.origin)
