"""`ringforge agent login`"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import rich_click as click

from ringforge_core.cli.agent.access import LOCAL_HUB, sdk_agent, websocket_url
from ringforge_core.cli.agent.profile import DEFAULT, Profile, default_name, directory, path_of, write_profile
from ringforge_core.cli.agent.talking import run
from ringforge_core.cli.lazy import Command
from ringforge_core.cli.output import json_option, print_json
from ringforge_core.errors import RingforgeError

if TYPE_CHECKING:
    from ringforge import Agent

EPILOG = """
Examples:

  ringforge agent login
  ringforge agent login wss://hub.example.org --name scout
  pass show hub-key | ringforge agent login --name scout --profile work

The API key is asked for, or taken from stdin or RINGFORGE_API_KEY. It is used
once and not kept: what stays is the agent's key pair, in a file for your eyes.
"""


@click.command(cls=Command, epilog=EPILOG)
@click.argument("url", default=LOCAL_HUB, envvar="RINGFORGE_URL")
@click.option(
    "--name", envvar="RINGFORGE_AGENT", metavar="NAME", help="The agent's name in the fleet; else you@this-machine."
)
@click.option("--profile", envvar="RINGFORGE_PROFILE", default=DEFAULT, metavar="NAME", help="To have several logins.")
@click.option("--replace-key", is_flag=True, help="Make the new key pair the agent's, in the place of a lost one.")
@json_option
def login(url: str, name: str | None, profile: str, replace_key: bool, as_json: bool) -> None:
    """Make this shell an agent: a key pair at the hub, and a profile here. URL is ws://127.0.0.1:4000 by default."""
    path_of(profile)
    content = Profile(websocket_url(url), name or default_name())
    agent = sdk_agent(content.url, api_key=_api_key(), name=content.name, key_directory=directory())

    async def make_profile(agent: Agent) -> None:
        if not agent.keys.in_use:
            await _claim(agent, content.name, replace_key)
        path = write_profile(profile, content)
        if as_json:
            print_json(
                {"agent_id": agent.id, "name": agent.name, "fleet_id": agent.fleet_id, "url": content.url,
                 "profile": str(path), "key_file": str(agent.keys.path)}
            )  # fmt: skip
            return
        click.echo(f"You are {click.style(content.name, bold=True)} ({agent.id}) at {content.url}.")
        click.echo(f"key pair  {agent.keys.path}\nprofile   {path}\n\nThe API key is not kept. Now: ringforge agent listen")

    run(agent, make_profile)


def _api_key() -> str:
    given = os.environ.get("RINGFORGE_API_KEY") or (
        click.prompt("API key", hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.readline()
    )
    api_key = str(given).strip()
    if not api_key:
        raise RingforgeError(
            "There is no API key.", fix="Pipe it in, or set RINGFORGE_API_KEY; ringforge keys create makes one."
        )
    return api_key


async def _claim(agent: Agent, name: str, replace_key: bool) -> None:
    if not replace_key:
        raise RingforgeError(
            f"The hub knows {name} by another key pair.",
            fix="Choose another --name; or, if that key pair is lost, --replace-key.",
        )
    await agent.keys.rotate()
