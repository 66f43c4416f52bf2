"""`ringforge agent history`"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rich_click as click

from ringforge_core.cli.agent.access import Access
from ringforge_core.cli.agent.lines import activity_line, message_line, print_json_line
from ringforge_core.cli.agent.listen import ACTIVITY
from ringforge_core.cli.agent.options import access_options, split
from ringforge_core.cli.agent.recipient import agent_id_of
from ringforge_core.cli.agent.talking import talk
from ringforge_core.cli.lazy import Command
from ringforge_core.cli.output import json_option

if TYPE_CHECKING:
    from ringforge import Agent, DirectMessage

EPILOG = """
Examples:

  ringforge agent history --limit 20
  ringforge agent history --kinds alert,task_failed --json
  ringforge agent history --with builder

--with shows what you and another agent (or dashboard) wrote to each other.
"""


@click.command(cls=Command, epilog=EPILOG)
@click.option("--with", "partner", metavar="AGENT", help="The conversation with this agent instead.")
@click.option("--kinds", metavar="KIND,…", help="Only these kinds of activity.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@json_option
@access_options
def history(access: Access, partner: str | None, kinds: str | None, limit: int, as_json: bool) -> None:
    """Print what the fleet told lately, or a conversation; the newest comes last."""
    wanted = split(kinds or "")
    if partner is not None and wanted:
        raise click.UsageError("--kinds is for activity; it does not go with --with")
    if unknown := set(wanted) - set(ACTIVITY):
        raise click.BadParameter(f"unknown: {', '.join(sorted(unknown))}", param_hint="--kinds")

    def line_of(item: Any) -> str:
        return activity_line(item) if partner is None else message_line(item)

    async def show(agent: Agent) -> None:
        if partner is None:
            told: list[Any] = await agent.activity.history(limit, [kind for kind in ACTIVITY if kind in wanted])
        else:
            told = await _conversation(agent, await agent_id_of(agent, partner), limit)
        for item in told:
            if as_json:
                print_json_line(item)
            else:
                click.echo(line_of(item))

    talk(access, show)


async def _conversation(agent: Agent, partner_id: str, limit: int) -> list[DirectMessage]:
    """The newest `limit` messages, the newest last."""
    newest_first: list[DirectMessage] = []
    async for message in agent.dm.history(partner_id, page=limit):
        newest_first.append(message)
        if len(newest_first) == limit:
            break
    return newest_first[::-1]
