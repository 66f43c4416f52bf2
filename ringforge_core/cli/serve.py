"""`ringforge serve`"""

from __future__ import annotations

import gc
import os
import sys

import rich_click as click
import structlog

from ringforge_core.app import Hub, run
from ringforge_core.cli.bootstrap import access_text
from ringforge_core.cli.configuration import config_option, configuration
from ringforge_core.cli.lazy import Command
from ringforge_core.config import Override, load_plugins
from ringforge_core.logs import configure_logs
from ringforge_core.plugin.manager import PluginManager

EPILOG = """
Examples:

  ringforge serve
  ringforge serve --listen 0.0.0.0:4000 --data-directory /var/lib/ringforge
  ringforge serve --log-format json
  RINGFORGE__STORE__URL=postgresql://hub:secret@db/hub ringforge serve

The first start makes a tenant, a fleet and two keys and shows them once, on stderr.
SIGTERM or Ctrl+C: agents are told, what they sent is finished, then the hub stops.
"""

log = structlog.get_logger("ringforge")


@click.command(cls=Command, epilog=EPILOG)
@config_option
@click.option("--listen", metavar="HOST:PORT", help="Serve here instead of at [hub] listen; port 0 takes a free one.")
@click.option("--data-directory", metavar="DIR", help="Keep files here instead of in [hub] data_directory.")
@click.option("--log-level", metavar="LEVEL", help="debug, info, warning or error; instead of [log] level.")
@click.option("--log-format", metavar="FORMAT", help="human, json or auto; instead of [log] format.")
def serve(listen: str | None, data_directory: str | None, log_level: str | None, log_format: str | None) -> None:
    """Run the hub until it is told to stop. Logs go to stderr."""
    gc.disable()  # until the hub serves: what it builds stays
    given = {
        ("hub", "listen"): listen,
        ("hub", "data_directory"): data_directory,
        ("log", "level"): log_level,
        ("log", "format"): log_format,
    }
    config = configuration(
        Override(path, text, f"--{'-'.join(path) if path[0] == 'log' else path[1].replace('_', '-')}")
        for path, text in given.items()
        if text is not None
    )
    configure_logs(config.log.level, config.log.format)
    plugins = load_plugins(config, PluginManager(), os.environ)
    for warning in plugins.warnings:
        log.warning("unused_table", problem=warning)
    run(config, plugins, on_started=_on_started)


def _on_started(hub: Hub, url: str) -> None:
    log.info("serving", url=url, node=hub.node)
    if hub.first_start is not None:
        # Not a log line: logs never show a key, and this is the only time that these two can be seen.
        click.echo(f"\nThis hub is new. Its first tenant:\n\n{access_text(hub.first_start)}\n", err=True)
        click.echo(how_to_connect(url, hub.first_start.agent_key), err=True)
    elif sys.stderr.isatty():
        click.echo(f"\nThe hub is at {url}. New keys: ringforge keys create\n", err=True)
    for capability in hub.capabilities:
        if text := capability.greeting(_for_browsers(url)):
            click.echo(f"{text}\n", err=True)


def _for_browsers(url: str) -> str:
    """This machine by its name: at an address of numbers browsers make no passkeys."""
    return url.replace("//127.0.0.1:", "//localhost:", 1)


def how_to_connect(url: str, agent_key: str) -> str:
    """Three lines of Python that connect an agent, and where they run."""
    websocket = url.replace("http", "ws", 1)
    return f"""\
Connect an agent (pip install ringforge; in this checkout: .venv/bin/python -m asyncio):

  from ringforge import Agent
  async with Agent("{websocket}", api_key="{agent_key}", name="scout") as agent:
      print(await agent.activity.broadcast("discovery", "I am here"), await agent.presence.roster())
"""
