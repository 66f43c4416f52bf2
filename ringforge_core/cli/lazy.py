"""Commands whose examples are shown as written, and groups that import a command when it is asked for."""

from __future__ import annotations

import difflib
import gc
import inspect
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

import rich_click as click
from rich.text import Text


class Command(click.RichCommand):
    def invoke(self, ctx: click.Context) -> Any:
        gc.freeze()  # what was imported stays
        gc.enable()
        return super().invoke(ctx)

    def format_epilog(self, ctx: click.Context, formatter: Any) -> None:
        _write_as_it_is(self.epilog, formatter)


class LazyGroup(click.RichGroup):
    """`commands_by_name` maps a command's name to where it is defined: `{"serve": "ringforge_core.cli.serve:serve"}`."""

    command_class = Command

    def __init__(self, *args: Any, commands_by_name: Mapping[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._commands_by_name = commands_by_name or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self._commands_by_name, *self.commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._commands_by_name:
            return super().get_command(ctx, cmd_name)
        command: click.Command = load(self._commands_by_name[cmd_name])
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if self.get_command(ctx, args[0]) is None and (
            near := difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
        ):
            ctx.fail(f'no such command "{args[0]}"; did you mean "{near[0]}"?')
        return super().resolve_command(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: Any) -> None:
        _write_as_it_is(self.epilog, formatter)


class PluginGroup(LazyGroup):
    """Has the commands of installed plugins, too: the entry points of `commands_of`. Its own come first."""

    def __init__(self, *args: Any, commands_of: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._commands_of = commands_of

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(dict.fromkeys([*super().list_commands(ctx), *sorted(entry_points(group=self._commands_of).names)]))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            return command
        return next((load(found.value) for found in entry_points(group=self._commands_of, name=cmd_name)), None)


def load(reference: str) -> Any:
    """Import what `module:attribute` names: the only place where the command line imports late."""
    module, _, attribute = reference.partition(":")
    return getattr(import_module(module), attribute)


def _write_as_it_is(epilog: str | None, formatter: Any) -> None:
    """rich-click joins lines; examples need theirs."""
    if epilog:
        formatter.write(Text(f"{inspect.cleandoc(epilog)}\n"))
