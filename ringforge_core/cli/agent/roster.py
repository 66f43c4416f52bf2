"""`ringforge agent roster`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import rich_click as click

from ringforge_core.cli.agent.access import Access
from ringforge_core.cli.agent.lines import printable
from ringforge_core.cli.agent.options import access_options
from ringforge_core.cli.agent.talking import talk
from ringforge_core.cli.lazy import Command
from ringforge_core.cli.output import json_option, print_json, print_table

if TYPE_CHECKING:
    from ringforge import Agent

EPILOG = """
Examples:

  ringforge agent roster
  ringforge agent roster --json | jq -r '.[] | select(.state == "busy") | .name'
"""


@click.command(cls=Command, epilog=EPILOG)
@json_option
@access_options
def roster(access: Access, as_json: bool) -> None:
    """Show who is connected, and what they do."""

    async def show(agent: Agent) -> None:
        entries = sorted(await agent.presence.roster(), key=lambda entry: entry.name or entry.agent_id)
        if as_json:
            print_json(entries)
            return
        rows = [
            (entry.name or "", entry.agent_id, entry.state, entry.framework or "", entry.task or "") for entry in entries
        ]
        print_table(("NAME", "ID", "STATE", "FRAMEWORK", "TASK"), [tuple(map(printable, row)) for row in rows])

    talk(access, show)
