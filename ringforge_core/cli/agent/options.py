"""The options that several commands of `ringforge agent` take."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
import rich_click as click

from ringforge_core.cli.agent.access import Access

Function = TypeVar("Function", bound=Callable[..., Any])


def access_options(function: Function) -> Function:
    """Hands the command an `access`."""

    @functools.wraps(function)
    def with_access(*args: Any, url: str | None, name: str | None, profile: str | None, **kwargs: Any) -> Any:
        return function(*args, access=Access(url, name, profile), **kwargs)

    for option in (
        click.option("--profile", envvar="RINGFORGE_PROFILE", metavar="NAME", help="The login to use; else default."),
        click.option("--name", envvar="RINGFORGE_AGENT", metavar="NAME", help="The agent's name; else that of the login."),
        click.option("--url", envvar="RINGFORGE_URL", metavar="URL", help="The hub; else that of the login."),
    ):
        with_access = option(with_access)
    return with_access  # type: ignore[return-value]  # click's decorators keep the function


tags_option = click.option(
    "--tags", default="", metavar="A,B", callback=lambda ctx, parameter, text: split(text), help="Separated by commas."
)


def split(text: str | tuple[str, ...]) -> tuple[str, ...]:
    """What is between commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip()) if isinstance(text, str) else text


def content(text: str, *, as_text: bool) -> Any:
    """The JSON value that the text is, else the text itself; `-` stands for what comes on stdin."""
    if text == "-":
        text = sys.stdin.read()
    if as_text:
        return text
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


text_option = click.option("--text", "as_text", is_flag=True, help="Take it as text, even if it is valid JSON.")
