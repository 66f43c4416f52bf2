"""`ringforge agent send`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import rich_click as click

from ringforge_core.cli.agent.access import Access
from ringforge_core.cli.agent.lines import message_fields, print_json_line, shown
from ringforge_core.cli.agent.options import access_options, content, text_option
from ringforge_core.cli.agent.recipient import agent_id_of
from ringforge_core.cli.agent.talking import talk
from ringforge_core.cli.lazy import Command
from ringforge_core.cli.output import json_option

if TYPE_CHECKING:
    from ringforge import Agent

EPILOG = """
Examples:

  ringforge agent send builder "The tests are green"
  ringforge agent send ag_7dK2mP9qX4aB '{"type": "query"}' --wait 30
  git diff | ringforge agent send reviewer - --text
  ringforge agent send dashboard "I need a human"

What is valid JSON is sent as JSON, anything else as text. A recipient that is
away gets it when it comes back, within five minutes; within a day for an
object with "priority": "high".
"""


@click.command(cls=Command, epilog=EPILOG)
@click.argument("to")
@click.argument("message", metavar="TEXT|JSON|-")
@text_option
@click.option(
    "--wait", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="Wait for the answer and print it."
)
@click.option("--ack", is_flag=True, help="Have it brought again until the recipient acknowledges it.")
@json_option
@access_options
def send(access: Access, to: str, message: str, as_text: bool, wait: float | None, ack: bool, as_json: bool) -> None:
    """Write to an agent, by name or id, or to the human at the dashboard."""
    said = content(message, as_text=as_text)

    async def write(agent: Agent) -> None:
        recipient = await agent_id_of(agent, to)
        if wait is not None:
            answer = await agent.dm.request(recipient, said, timeout=wait, ack=ack)
            if as_json:
                print_json_line(message_fields(answer))
            else:
                click.echo(shown(answer.content))
            return
        sent = await agent.dm.send(recipient, said, ack=ack)
        if as_json:
            print_json_line(sent)
        else:
            click.echo(sent.status)

    talk(access, write)
