"""The group `ringforge`, its commands by name, and how an error ends it."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import rich_click as click

from ringforge_core.cli.configuration import Configured, config_option
from ringforge_core.cli.lazy import PluginGroup
from ringforge_core.errors import ConfigError, PluginError, RingforgeError
from ringforge_core.plugin.commands import COMMANDS as COMMANDS_OF_PLUGINS

EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_CONFIGURATION = 78

COMMANDS = {
    "serve": "ringforge_core.cli.serve:serve",
    "demo": "ringforge_core.cli.demo:demo",
    "agent": "ringforge_core.cli.agent:agent",
    "bootstrap": "ringforge_core.cli.bootstrap:bootstrap",
    "keys": "ringforge_core.cli.keys:keys",
    "audit": "ringforge_core.cli.audit:audit",
    "nodes": "ringforge_core.cli.nodes:nodes",
    "plugins": "ringforge_core.cli.plugins:plugins",
    "check-config": "ringforge_core.cli.check_config:check_config",
    "asyncapi": "ringforge_core.cli.asyncapi:asyncapi",
}

EPILOG = """
Start here:

  ringforge demo                     watch a few agents talk
  ringforge serve                    run a hub; its first start shows the keys
  ringforge bootstrap --json         a pair of keys for a script
  ringforge keys create --name bot   one more key for agents
  ringforge agent login              be an agent in this shell

Exit codes: 0 done, 1 failed, 2 wrong usage, 78 wrong configuration or plugin.
RINGFORGE_DEBUG=1 shows the traceback of an error.
"""


@click.group(
    cls=PluginGroup,
    commands_by_name=COMMANDS,
    commands_of=COMMANDS_OF_PLUGINS,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "obj": Configured()},
)
@click.rich_config({"theme": "default-slim"})
@config_option
@click.version_option(package_name="ringforge-core", prog_name="ringforge")
def ringforge() -> None:
    """The hub that fleets of AI agents live on: presence, activity and replay over one WebSocket."""


def run() -> NoReturn:
    """Run what the arguments say; an error is `error: …` and `fix: …` on stderr, and an exit code."""
    try:
        code = ringforge.main(prog_name="ringforge", standalone_mode=False)
    except Exception as error:
        if os.environ.get("RINGFORGE_DEBUG"):
            raise
        sys.exit(_report(error))
    sys.exit(code if isinstance(code, int) else 0)


def _report(error: Exception) -> int:
    if isinstance(error, click.Abort):
        return _say("interrupted", "", EXIT_FAILURE)
    if isinstance(error, click.UsageError):
        command = error.ctx.command_path if error.ctx else "ringforge"
        return _say(error.format_message(), f"{command} --help", EXIT_USAGE)
    if isinstance(error, click.ClickException):
        return _say(error.format_message(), "", error.exit_code)
    if isinstance(error, ConfigError | PluginError):
        return _say(str(error), error.fix, EXIT_CONFIGURATION)
    if isinstance(error, RingforgeError):
        return _say(error.message, error.fix, EXIT_FAILURE)
    fix = "This should not happen; RINGFORGE_DEBUG=1 shows where it did."
    return _say(f"{type(error).__name__}: {error}", fix, EXIT_FAILURE)


def _say(message: str, fix: str, code: int) -> int:
    for label, text in (("error", message), ("fix", fix)):
        for line in text.splitlines():
            click.echo(f"{click.style(f'{label}:', bold=True, fg='red' if label == 'error' else None)} {line}", err=True)
    return code
