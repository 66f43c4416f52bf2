"""`ringforge demo`"""

from __future__ import annotations

import asyncio
from importlib.util import find_spec

import rich_click as click

from ringforge_core.cli.demo.session import show_demo
from ringforge_core.cli.lazy import Command, load
from ringforge_core.errors import RingforgeError

EPILOG = """
Examples:

  ringforge demo
  ringforge demo --seconds 10 | cat

Four agents build small features together: a real hub in a temporary directory on a free port of this machine,
real connections of the Python SDK. Nothing is left behind.
"""


@click.command(cls=Command, epilog=EPILOG)
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="Stop after this time instead of at Ctrl+C.")
@click.option("--pace", type=click.FloatRange(min=0.01), default=1.0, show_default=True, help="Seconds between two steps.")
def demo(seconds: float | None, pace: float) -> None:
    """Run a hub with a few talking agents and show them live."""
    if find_spec("ringforge") is None:  # another distribution, which core does not depend on
        raise RingforgeError("The demo's agents need the Python SDK.", fix="pip install ringforge")
    asyncio.run(show_demo(load("ringforge:Agent"), seconds=seconds, pace=pace))
