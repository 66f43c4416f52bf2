"""A connection of the SDK around a command: opened, used, closed; its errors become the command line's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import rich_click as click
from click.exceptions import Exit

from ringforge_core.cli.agent.access import Access, make_agent
from ringforge_core.cli.agent.lines import print_message
from ringforge_core.cli.lazy import load
from ringforge_core.errors import RingforgeError

if TYPE_CHECKING:
    from ringforge import Agent

EXIT_NOT_THERE = 3
LAST_MESSAGES_SECONDS = 2.0

Work = Callable[["Agent"], Awaitable[None]]


def talk(access: Access, work: Work) -> None:
    """Do something as the agent. What others write to it meanwhile is shown on stderr: the hub sends it only once."""

    async def work_and_look(agent: Agent) -> None:
        await work(agent)
        await _show_messages(agent)

    run(make_agent(access), work_and_look)


def run(agent: Agent, work: Work) -> None:
    """Connect, work, disconnect. Raises `RingforgeError`; exits with 3 when what was asked for is not there."""
    not_there = tuple(load(f"ringforge:{name}") for name in ("NotFound", "NoAnswer", "Undeliverable"))

    async def connected() -> None:
        async with agent:
            await work(agent)

    try:
        asyncio.run(connected())
    except not_there as error:
        click.echo(f"{click.style('error:', bold=True, fg='red')} {error.message}", err=True)
        raise Exit(EXIT_NOT_THERE) from error
    except load("ringforge:RingforgeError") as error:
        raise RingforgeError(error.message, reason=error.reason, fix=error.fix) from error


async def _show_messages(agent: Agent) -> None:
    """Wait until the hub has brought what it has for the agent, and show it."""
    with agent.dm.stream() as inbox:
        deadline = asyncio.get_running_loop().time() + LAST_MESSAGES_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            waiting = await agent.request("message:queued", {"limit": 1}, idempotent=True)
            while inbox.waiting:
                message = await anext(inbox)
                print_message(message, err=True)
                await message.ack()
            if not waiting["payload"]["total"]:
                return
            await asyncio.sleep(0.05)
