"""`ringforge bootstrap`"""

from __future__ import annotations

import asyncio

import rich_click as click

from ringforge_core import identity
from ringforge_core.cli.configuration import config_option, configuration
from ringforge_core.cli.lazy import Command
from ringforge_core.cli.output import json_option, print_json
from ringforge_core.cli.store import opened_store
from ringforge_core.config import Config
from ringforge_core.identity.bootstrap import DEFAULT_TENANT, Bootstrap

EPILOG = """
Examples:

  ringforge bootstrap
  ringforge bootstrap --tenant acme
  export RINGFORGE_API_KEY=$(ringforge bootstrap --json | jq -r .agent_key)

A tenant that is there already keeps its other keys; `ringforge keys revoke` ends those. The hub may be running.
"""


@click.command(cls=Command, epilog=EPILOG)
@config_option
@click.option(
    "--tenant",
    metavar="NAME",
    default=DEFAULT_TENANT,
    show_default=True,
    help="The tenant's name; a new name makes a new tenant.",
)
@json_option
def bootstrap(tenant: str, as_json: bool) -> None:
    """Make a tenant with a fleet if they are missing, and in any case a new admin key and a new agent key."""
    made = asyncio.run(_bootstrap(configuration(), tenant))
    if as_json:
        print_json(made)
        return
    click.echo(access_text(made))


async def _bootstrap(config: Config, tenant: str) -> Bootstrap:
    async with opened_store(config) as store:
        return await identity.bootstrap(store, tenant=tenant)


def access_text(made: Bootstrap) -> str:
    """The ids and the keys, for a person."""
    return (
        f"tenant     {made.tenant_id}\n"
        f"fleet      {made.fleet_id}\n"
        f"admin key  {made.admin_key}  for people: HTTP API\n"
        f"agent key  {made.agent_key}  for agents\n"
        "\n"
        "The keys are shown this once."
    )
