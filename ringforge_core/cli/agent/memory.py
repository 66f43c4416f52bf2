"""`ringforge agent memory get|set|list|delete`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import rich_click as click

from ringforge_core.cli.agent.access import Access
from ringforge_core.cli.agent.lines import print_json_line, printable
from ringforge_core.cli.agent.options import access_options, content, tags_option, text_option
from ringforge_core.cli.agent.talking import talk
from ringforge_core.cli.lazy import LazyGroup
from ringforge_core.cli.output import json_option, print_json, print_table

if TYPE_CHECKING:
    from ringforge import Agent

VALUE_WIDTH = 60

EPILOG = """
Examples:

  ringforge agent memory set plans/q3 '{"goal": 3}' --tags plan
  ringforge agent memory set notes/today - --text < notes.txt
  ringforge agent memory get plans/q3
  ringforge agent memory set lock me --if-version 0 --ttl 60 && echo mine
  ringforge agent memory list --search "cold cache"
  ringforge agent memory delete plans/q3
"""


@click.group(cls=LazyGroup, epilog=EPILOG)
def memory() -> None:
    """Read and change what the fleet remembers."""


@memory.command()
@click.argument("key")
@json_option
@access_options
def get(access: Access, key: str, as_json: bool) -> None:
    """Print a value: a text as it is, anything else as JSON. Exit code 3 when there is none. --json prints the entry."""

    async def read(agent: Agent) -> None:
        entry = await agent.memory.get(key)
        if as_json:
            print_json(entry)
        else:
            click.echo(entry.value if isinstance(entry.value, str) else msgspec.json.encode(entry.value).decode())

    talk(access, read)


@memory.command("set")
@click.argument("key")
@click.argument("value", metavar="TEXT|JSON|-")
@text_option
@tags_option
@click.option("--ttl", type=click.IntRange(min=1), metavar="SECONDS", help="Forget it after this time.")
@click.option(
    "--if-version", type=click.IntRange(min=0), metavar="N", help="Only if it has this version; 0: if there is none."
)
@json_option
@access_options
def set_(
    access: Access, key: str, value: str, as_text: bool, tags: tuple[str, ...], ttl: int | None, if_version: int | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Keep a value under a key."""
    kept = content(value, as_text=as_text)

    async def write(agent: Agent) -> None:
        written = await agent.memory.set(
            key, kept, type="text" if isinstance(kept, str) else "json", tags=tags or msgspec.UNSET, ttl=ttl,
            if_version=if_version,
        )  # fmt: skip
        if as_json:
            print_json_line(written)
        else:
            click.echo(f"{written.key} version {written.version}")

    talk(access, write)


@memory.command("list")
@click.option("--search", metavar="TEXT", help="Entries with words that begin so.")
@tags_option
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@json_option
@access_options
def list_(access: Access, search: str | None, tags: tuple[str, ...], limit: int, as_json: bool) -> None:
    """List entries, the newest change first; with --search the best match first."""

    async def show(agent: Agent) -> None:
        if search is None:
            page = await agent.memory.list(tags=tags, limit=limit)
        else:
            page = await agent.memory.query(search, tags=tags, limit=limit)
        if as_json:
            print_json(page.entries)
            return
        print_table(
            ("KEY", "VERSION", "CHANGED", "TAGS", "VALUE"),
            [
                (printable(entry.key), str(entry.version), f"{entry.updated_at.astimezone():%Y-%m-%d %H:%M}",
                 printable(",".join(entry.tags)), _short(entry.value))
                for entry in page.entries
            ],
        )  # fmt: skip

    talk(access, show)


@memory.command()
@click.argument("key")
@json_option
@access_options
def delete(access: Access, key: str, as_json: bool) -> None:
    """Forget a value. Exit code 3 when there is none."""

    async def forget(agent: Agent) -> None:
        await agent.memory.delete(key)
        if as_json:
            print_json_line({"key": key, "deleted": True})
        else:
            click.echo(f"deleted {key}")

    talk(access, forget)


def _short(value: object) -> str:
    text = printable(value if isinstance(value, str) else msgspec.json.encode(value).decode())
    return text if len(text) <= VALUE_WIDTH else f"{text[: VALUE_WIDTH - 1]}…"
