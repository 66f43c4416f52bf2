"""`ringforge agent listen`"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import rich_click as click

from ringforge_core.cli.agent.access import Access, make_agent
from ringforge_core.cli.agent.lines import (
    activity_line,
    group_line,
    message_fields,
    message_line,
    presence_line,
    print_json_line,
    print_message,
)
from ringforge_core.cli.agent.options import access_options, split
from ringforge_core.cli.agent.talking import run
from ringforge_core.cli.lazy import Command, load
from ringforge_core.cli.output import json_option

if TYPE_CHECKING:
    from ringforge import Agent, Kind

ACTIVITY: tuple[Kind, ...] = (
    "task_started", "task_progress", "task_completed", "task_failed", "discovery", "question", "alert", "custom",
)  # fmt: skip
KINDS = (*ACTIVITY, "message", "group", "presence")

EPILOG = f"""
Examples:

  ringforge agent listen
  ringforge agent listen --kinds question,alert,message
  ringforge agent listen --json --kinds task_failed | jq -r .payload.description
  ringforge agent listen --kinds message --count 1      wait for one message

Kinds: {", ".join(ACTIVITY[:4])},
{", ".join(ACTIVITY[4:])} are what agents tell the fleet;
message is what they write to you, group what they write in your groups,
presence who comes and goes.

With --json a line is {{"event": …, "payload": …}} as in the AsyncAPI document.
A message is acknowledged once it is printed; without the kind message it goes
to stderr, for it is brought only once. When the connection breaks it is made
again, and what was missed follows.
"""


@click.command(cls=Command, epilog=EPILOG)
@click.option("--kinds", metavar="KIND,…", help="Only these; see below.")
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="End after so many lines.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), metavar="N", help="End after this time.")
@json_option
@access_options
def listen(access: Access, kinds: str | None, count: int | None, seconds: float | None, as_json: bool) -> None:
    """Print what the fleet tells and what is written to this agent, until Ctrl+C."""
    wanted = frozenset(split(kinds)) if kinds else frozenset(KINDS)
    if unknown := wanted - set(KINDS):
        raise click.BadParameter(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(KINDS)}", param_hint="--kinds")
    listener = Listener(make_agent(access), wanted, count, as_json)
    try:
        run(listener.agent, lambda agent: listener.listen(seconds))
    except KeyboardInterrupt:
        return


class Listener:
    """Prints from several streams until enough is printed."""

    def __init__(self, agent: Agent, kinds: frozenset[str], count: int | None, as_json: bool) -> None:
        self.agent = agent
        self._kinds = kinds
        self._left = count
        self._as_json = as_json
        self._enough = asyncio.Event()
        self._activity = agent.activity.stream()  # opened before the connection: nothing is missed,
        self._presence = agent.presence.changes()  # nor who is there already

    async def listen(self, seconds: float | None) -> None:
        hearing = [self._hear_messages()]
        if "group" in self._kinds:
            hearing.append(self._hear_groups())
        if "presence" in self._kinds:
            hearing.append(self._hear_presence())
        if self._kinds & set(ACTIVITY):
            hearing.append(self._hear_activity())
        tasks = {asyncio.create_task(each) for each in hearing} | {asyncio.create_task(self._enough.wait())}
        try:
            ended, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _hear_activity(self) -> None:
        async for event in self._activity:
            if event.kind in self._kinds:
                self._print("activity:broadcast", event, activity_line(event))
                self._end_if_enough()

    async def _hear_messages(self) -> None:
        async for message in self.agent.dm:
            if "message" not in self._kinds:  # it is brought only once: better in the way than lost
                print_message(message, err=True)
                await message.ack()
                continue
            self._print("direct:message", message_fields(message), message_line(message))
            await message.ack()
            self._end_if_enough()

    async def _hear_groups(self) -> None:
        async for message in self.agent.groups:
            self._print("group:message", message, group_line(message))
            self._end_if_enough()

    async def _hear_presence(self) -> None:
        joined, left = load("ringforge:Joined"), load("ringforge:Left")
        async for change in self._presence:
            if isinstance(change, joined):
                self._print("presence:joined", change.agent, presence_line(change.agent, "joined"))
            elif isinstance(change, left):
                self._print("presence:left", change.agent, presence_line(change.agent, "left"))
            self._end_if_enough()

    def _print(self, event: str, payload: Any, line: str) -> None:
        if self._left == 0:
            return
        if self._as_json:
            print_json_line({"event": event, "payload": payload})
        else:
            click.echo(line)
        if self._left is not None:
            self._left -= 1

    def _end_if_enough(self) -> None:
        if self._left == 0:
            self._enough.set()
