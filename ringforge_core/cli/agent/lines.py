"""What is heard, as lines: for people with colours in a terminal, for programs as one JSON object each."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
import rich_click as click

if TYPE_CHECKING:
    from ringforge import ActivityEvent, DirectMessage, GroupMessage, IncomingMessage, RosterEntry

COLOURS = {
    "task_started": "cyan", "task_completed": "green", "task_failed": "red", "discovery": "yellow",
    "question": "magenta", "alert": "red", "message": "blue", "joined": "bright_black", "left": "bright_black",
}  # fmt: skip


def activity_line(event: ActivityEvent) -> str:
    tags = "".join(f" #{tag}" for tag in event.tags)
    return _line(event.timestamp, event.sender.name or event.sender.agent_id, event.kind, event.description + tags)


def message_line(message: IncomingMessage | DirectMessage) -> str:
    return _line(message.timestamp, message.sender.name or message.sender.agent_id, "message", shown(message.content))


def group_line(message: GroupMessage) -> str:
    sender = message.sender.name or message.sender.agent_id
    return _line(message.timestamp, sender, "message", f"{shown(message.content)}  (to {message.group_id})")


def presence_line(agent: RosterEntry, what: str) -> str:
    return _line(datetime.now().astimezone(), agent.name or agent.agent_id, what, agent.task or "")


def print_message(message: IncomingMessage, *, err: bool = False) -> None:
    click.echo(message_line(message), err=err)


def message_fields(message: IncomingMessage) -> dict[str, Any]:
    """As it is on the wire."""
    return {
        "message_id": message.message_id, "from": message.sender, "correlation_id": message.correlation_id,
        "message": message.content, "timestamp": message.timestamp,
    }  # fmt: skip


def print_json_line(value: Any) -> None:
    click.echo(msgspec.json.encode(value).decode())


def shown(value: Any) -> str:
    """A text as it is; of the usual `{"type": "text", "text": …}` the text; else JSON."""
    if isinstance(value, dict) and isinstance(value.get("text"), str) and value.keys() <= {"type", "text"}:
        value = value["text"]
    return printable(value if isinstance(value, str) else msgspec.json.encode(value).decode())


def printable(text: str) -> str:
    """Without what would steer the terminal: others wrote it."""
    return "".join(character if character.isprintable() else " " for character in text)


def _line(at: datetime, who: str, what: str, text: str) -> str:
    clock, name = f"{at.astimezone():%H:%M:%S}", click.style(f"{printable(who):12}", bold=True)
    return f"{clock}  {name}  {click.style(f'{what:14}', fg=COLOURS.get(what))}  {printable(text)}".rstrip()
