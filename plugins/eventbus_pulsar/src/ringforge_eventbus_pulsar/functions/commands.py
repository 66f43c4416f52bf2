"""`ringforge pulsar functions catalog|deploy|list|remove`"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
import rich_click as click

from ringforge_core.plugin.commands import ConfiguredPlugins
from ringforge_eventbus_pulsar.admin import Admin
from ringforge_eventbus_pulsar.functions.catalog import CATALOG, find
from ringforge_eventbus_pulsar.functions.deployment import Deployment
from ringforge_eventbus_pulsar.settings import PulsarEventBusSettings

Result = TypeVar("Result")

_name = click.argument("name", type=click.Choice([function.name for function in CATALOG]))


@click.group()
def pulsar() -> None:
    """What the event bus on Pulsar offers besides: functions that process the events."""


@pulsar.group()
def functions() -> None:
    """Process every fleet's activity where it is kept, in Pulsar's functions worker.

    \b
    ringforge pulsar functions catalog
    ringforge pulsar functions deploy alert-filter
    ringforge pulsar functions deploy alert-filter --set kinds='["alert","task_failed"]'
    ringforge pulsar functions list
    ringforge pulsar functions remove alert-filter

    The hub's own [event_bus.pulsar] says where Pulsar is and who you are. Pulsar needs a functions worker with a Python
    runtime: `functionsWorkerEnabled=true` on a broker, or `bin/pulsar functions-worker`.
    """


@functions.command()
def catalog() -> None:
    """List the functions that can be deployed, with what can be --set."""
    for function in CATALOG:
        options = ", ".join(f"{key}={_text(value)}" for key, value in function.config["userConfig"].items())
        click.echo(f"{function.name}: {function.summary}\n    {options}")


@functions.command()
@_name
@click.option(
    "--set", "options", multiple=True, metavar="KEY=JSON", help="Another value than the one that `catalog` shows."
)
@click.pass_obj
def deploy(configured: ConfiguredPlugins, name: str, options: tuple[str, ...]) -> None:
    """Deploy a function, or bring a deployed one up to date with this version and these options."""
    chosen = dict(_option(name, option) for option in options)
    output = _run(configured, lambda deployment: deployment.deploy(find(name), chosen))
    click.echo(f"{name} writes to {output}")


@functions.command("list")
@click.pass_obj
def list_deployed(configured: ConfiguredPlugins) -> None:
    """List what is deployed, and how many of its instances run."""
    for function in _run(configured, lambda deployment: deployment.deployed()):
        click.echo(f"{function.name}: {function.running} of {function.instances} run, writes to {function.output}")


@functions.command()
@_name
@click.pass_obj
def remove(configured: ConfiguredPlugins, name: str) -> None:
    """Remove a function; what it wrote stays."""
    _run(configured, lambda deployment: deployment.remove(name))
    click.echo(f"removed {name}")


def _run(configured: ConfiguredPlugins, work: Callable[[Deployment], Awaitable[Result]]) -> Result:
    settings: PulsarEventBusSettings = configured.adapter_settings("event_bus", "pulsar")

    async def run() -> Result:
        admin = Admin(settings)
        try:
            return await work(Deployment(admin, settings))
        finally:
            await admin.close()

    return asyncio.run(run())


def _option(name: str, text: str) -> tuple[str, Any]:
    key, _, value = text.partition("=")
    known = find(name).config["userConfig"]
    if key not in known:
        raise click.BadParameter(f"{name} has no option {key!r}; it has {', '.join(known)}", param_hint="--set")
    try:
        return key, msgspec.json.decode(value)
    except msgspec.DecodeError:
        raise click.BadParameter(f"{value!r} is not JSON; a text needs its quotes", param_hint="--set") from None


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()
