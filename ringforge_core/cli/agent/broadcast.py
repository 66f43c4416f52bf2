"""`ringforge agent broadcast`"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import rich_click as click

from ringforge_core.cli.agent.access import Access
from ringforge_core.cli.agent.lines import print_json_line
from ringforge_core.cli.agent.listen import ACTIVITY
from ringforge_core.cli.agent.options import access_options, tags_option
from ringforge_core.cli.agent.talking import talk
from ringforge_core.cli.lazy import Command
from ringforge_core.cli.output import json_option

if TYPE_CHECKING:
    from ringforge import Agent, Kind

EPILOG = """
Examples:

  ringforge agent broadcast task_started "Nightly build"
  ringforge agent broadcast alert "Disk is 95 % full" --tags ops --data '{"host": "db1"}'
  make test || ringforge agent broadcast task_failed "make test" --tags ci

KIND is task_started, task_progress, task_completed, task_failed, discovery,
question, alert or custom.
"""


def _data(ctx: click.Context, parameter: click.Parameter, text: str | None) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any]) if text else {}
    except msgspec.DecodeError as error:
        raise click.BadParameter(f"no JSON object: {error}") from None


@click.command(cls=Command, epilog=EPILOG)
@click.argument("kind", metavar="KIND", type=click.Choice(ACTIVITY))
@click.argument("text")
@tags_option
@click.option("--data", callback=_data, metavar="JSON", help="An object for programs that listen.")
@click.option("--tagged", is_flag=True, help="Only to those who subscribed to one of the tags.")
@json_option
@access_options
def broadcast(
    access: Access, kind: Kind, text: str, tags: tuple[str, ...], data: dict[str, Any], tagged: bool, as_json: bool
) -> None:
    """Tell the fleet."""

    async def tell(agent: Agent) -> None:
        event_id = await agent.activity.broadcast(kind, text, tags=tags, data=data, scope="tagged" if tagged else "fleet")
        if as_json:
            print_json_line({"event_id": event_id})
        else:
            click.echo(event_id)

    talk(access, tell)
