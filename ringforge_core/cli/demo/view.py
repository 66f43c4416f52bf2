"""What the demo shows: a live screen in a terminal, plain lines in a pipe."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Coroutine
from datetime import datetime
from typing import TYPE_CHECKING

import rich_click as click
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from ringforge import ActivityEvent, Agent, RosterEntry

FEED_LINES = 14
COLOURS = {"task_started": "cyan", "task_completed": "green", "discovery": "yellow", "question": "magenta"}


class View(ABC):
    """Shows what `watcher` sees, between `begin` and `end`; `watching` are the endless tasks that feed it."""

    def __init__(self, watcher: Agent, url: str) -> None:
        self.watcher = watcher
        self.url = url

    def watching(self) -> list[Coroutine[None, None, None]]:
        return [self._watch_activity(), self._watch_presence()]

    @abstractmethod
    def begin(self) -> None: ...

    @abstractmethod
    def end(self) -> None: ...

    @abstractmethod
    def on_activity(self, event: ActivityEvent) -> None: ...

    @abstractmethod
    def on_presence(self, agent: RosterEntry) -> None: ...

    async def _watch_activity(self) -> None:
        async for event in self.watcher.activity:
            self.on_activity(event)

    async def _watch_presence(self) -> None:
        async for change in self.watcher.presence:
            self.on_presence(change.agent)


class Lines(View):
    """One line for each thing that happens."""

    def begin(self) -> None:
        click.echo(f"hub at {self.url}; here are {', '.join(_name(agent) for agent in _sorted(self.watcher))}")

    def end(self) -> None:
        click.echo("the hub stops")

    def on_activity(self, event: ActivityEvent) -> None:
        _line(event.timestamp, event.sender.name or event.sender.agent_id, event.kind, event.description)

    def on_presence(self, agent: RosterEntry) -> None:
        present = agent.agent_id in self.watcher.presence.agents
        _line(datetime.now().astimezone(), _name(agent), agent.state if present else "left", agent.task or "")


class LiveScreen(View):
    """The roster above, the newest activity below."""

    def __init__(self, watcher: Agent, url: str) -> None:
        super().__init__(watcher, url)
        self._feed: deque[ActivityEvent] = deque(maxlen=FEED_LINES)
        self._live = Live(auto_refresh=False)

    def begin(self) -> None:
        self._live.start()
        self._refresh()

    def end(self) -> None:
        self._live.stop()

    def on_activity(self, event: ActivityEvent) -> None:
        self._feed.append(event)
        self._refresh()

    def on_presence(self, agent: RosterEntry) -> None:
        self._refresh()

    def _refresh(self) -> None:
        title = Text.assemble(("Ringforge", "bold"), f"  {self.url}  Ctrl+C ends it")
        self._live.update(Group(title, Text(), self._roster(), Text(), self._activity()), refresh=True)

    def _roster(self) -> Table:
        table = Table("AGENT", "FRAMEWORK", "STATE", "TASK", box=None, pad_edge=False, header_style="bold")
        for agent in _sorted(self.watcher):
            state = Text(agent.state, style="yellow" if agent.state == "busy" else "green")
            table.add_row(Text(_name(agent)), Text(agent.framework or ""), state, Text(agent.task or ""))
        return table

    def _activity(self) -> Table:
        table = Table(box=None, pad_edge=False, show_header=False)
        for event in self._feed:
            kind = Text(event.kind, style=COLOURS.get(event.kind, ""))
            name = Text(event.sender.name or event.sender.agent_id, style="bold")
            table.add_row(_clock(event.timestamp), name, kind, Text(event.description))
        return table


def _sorted(watcher: Agent) -> list[RosterEntry]:
    return sorted(watcher.presence.agents.values(), key=_name)


def _name(agent: RosterEntry) -> str:
    return agent.name or agent.agent_id


def _clock(at: datetime) -> str:
    return f"{at.astimezone():%H:%M:%S}"


def _line(at: datetime, name: str, what: str, text: str) -> None:
    click.echo(f"{_clock(at)}  {name:8}  {what:14}  {text}".rstrip())
