"""`ringforge nodes`"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import rich_click as click

from ringforge_core.cli.configuration import config_option, configuration
from ringforge_core.cli.lazy import Command
from ringforge_core.cli.output import json_option, print_json, print_table
from ringforge_core.cli.store import opened_store
from ringforge_core.config import Config
from ringforge_core.nodes import Node, list_nodes

EPILOG = """
Examples:

  ringforge nodes
  ringforge nodes --json | jq '.[].name'

Hubs that share a PostgreSQL find each other by themselves; each needs a [hub] node of its own.
One that stops takes itself out of the list, one that died is taken out by the others within a few seconds.
"""


@click.command(cls=Command, epilog=EPILOG)
@config_option
@json_option
def nodes(as_json: bool) -> None:
    """List the hubs that run on the store, how many sockets each has, and when it was last heard of."""

    async def look(config: Config) -> list[Node]:
        async with opened_store(config) as store:
            return await list_nodes(store)

    found = asyncio.run(look(configuration()))
    if as_json:
        return print_json(found)
    if not found:
        return click.echo("No hub runs on this store. Start one: ringforge serve")
    return print_table(
        ("NAME", "URL", "VERSION", "SOCKETS", "STATE", "UP FOR", "LAST HEARD"),
        [
            (node.name, node.url, node.version, str(node.connections), _state(node), _ago(node.started_at),
             f"{_ago(node.seen_at)} ago")
            for node in found
        ],
    )  # fmt: skip


def _state(node: Node) -> str:
    return "draining" if node.draining else "serving"


def _ago(at: datetime) -> str:
    seconds = max(0, int((datetime.now(UTC) - at).total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
