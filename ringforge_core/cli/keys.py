"""`ringforge keys create|list|rotate|revoke`"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import rich_click as click

from ringforge_core.cli.configuration import config_option, configuration
from ringforge_core.cli.lazy import LazyGroup
from ringforge_core.cli.output import json_option, print_json, print_table
from ringforge_core.cli.store import find_tenant, opened_store, tenant_option
from ringforge_core.config import Config
from ringforge_core.identity import CreatedKey, KeyInfo, KeyKind, Keys, RotatedKey
from ringforge_core.identity.keys import GRACE, LONGEST_GRACE

EPILOG = """
Examples:

  ringforge keys create --kind live --name scout
  ringforge keys list --tenant acme
  ringforge keys rotate 5f0c5d0e-6f6b-4d0c-9d2a-6f1f0c1d2e3f --grace-hours 72
  ringforge keys revoke 5f0c5d0e-6f6b-4d0c-9d2a-6f1f0c1d2e3f

live keys are for agents, test keys for agents that are not billed, admin keys for the HTTP API.
The hub may be running; agents on a revoked key are disconnected within seconds.
"""


@click.group(cls=LazyGroup, epilog=EPILOG)
def keys() -> None:
    """Make, list, replace and revoke API keys."""


def _instant(ctx: click.Context, parameter: click.Parameter, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f'"{text}" is not a time such as 2030-01-31 or 2030-01-31T12:00:00Z') from None
    instant = instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    if instant <= datetime.now(UTC):
        raise click.BadParameter(f"{text} is in the past")
    return instant


@keys.command()
@config_option
@click.option(
    "--kind", type=click.Choice(["live", "test", "admin"]), default="live", show_default=True, help="What it opens."
)
@click.option("--fleet", "fleet_id", metavar="ID", help="The fleet that it opens; otherwise the one named default.")
@click.option("--name", metavar="TEXT", help="What you call it.")
@click.option("--expires-at", metavar="TIME", callback=_instant, help="ISO 8601, UTC unless it says otherwise.")
@tenant_option
@json_option
def create(
    kind: KeyKind, fleet_id: str | None, name: str | None, expires_at: datetime | None, tenant: str | None, as_json: bool
) -> None:
    """Make a key. Its text is shown this once."""

    async def create_key(config: Config) -> CreatedKey:
        async with opened_store(config) as store:
            tenant_id = await find_tenant(store, tenant)
            return await Keys(store).create(tenant_id, kind=kind, fleet_id=fleet_id, name=name, expires_at=expires_at)

    made = asyncio.run(create_key(configuration()))
    if as_json:
        print_json(made)
    else:
        click.echo(f"{made.key}\n\nid {made.id}. The key is shown this once.")


@keys.command("list")
@config_option
@tenant_option
@json_option
def list_keys(tenant: str | None, as_json: bool) -> None:
    """List the keys that are not revoked, newest first."""

    async def read_keys(config: Config) -> Sequence[KeyInfo]:
        async with opened_store(config) as store:
            return await Keys(store).list(await find_tenant(store, tenant))

    found = asyncio.run(read_keys(configuration()))
    if as_json:
        print_json(found)
        return
    print_table(
        ("ID", "KEY", "KIND", "NAME", "FLEET", "CREATED", "EXPIRES"),
        [
            (
                key.id,
                f"{key.prefix}…",
                key.kind,
                key.name or "",
                key.fleet_id or "default",
                _shown(key.inserted_at),
                _shown(key.expires_at),
            )
            for key in found
        ],
    )


@keys.command()
@config_option
@click.argument("key_id", metavar="ID")
@click.option(
    "--grace-hours",
    metavar="HOURS",
    type=click.FloatRange(0, LONGEST_GRACE / timedelta(hours=1)),
    default=GRACE / timedelta(hours=1),
    show_default=True,
    help="How long the old key works beside the new one; 0 ends it at once.",
)
@tenant_option
@json_option
def rotate(key_id: str, grace_hours: float, tenant: str | None, as_json: bool) -> None:
    """Replace a key by a new one of the same kind, fleet and name. Its text is shown this once."""

    async def rotate_key(config: Config) -> RotatedKey:
        async with opened_store(config) as store:
            tenant_id = await find_tenant(store, tenant)
            return await Keys(store).rotate(tenant_id, key_id, grace=timedelta(hours=grace_hours))

    rotated = asyncio.run(rotate_key(configuration()))
    if as_json:
        print_json(rotated)
    else:
        end = f"works until {_shown(rotated.replaced_expires_at)}" if grace_hours else "has ended"
        click.echo(f"{rotated.key.key}\n\nid {rotated.key.id}. The key is shown this once.\n{rotated.replaced_id} {end}.")


@keys.command()
@config_option
@click.argument("key_id", metavar="ID")
@tenant_option
@json_option
def revoke(key_id: str, tenant: str | None, as_json: bool) -> None:
    """End a key for good; its connections are closed within seconds."""

    async def revoke_key(config: Config) -> None:
        async with opened_store(config) as store:
            await Keys(store).revoke(await find_tenant(store, tenant), key_id)

    asyncio.run(revoke_key(configuration()))
    if as_json:
        print_json({"id": key_id, "revoked": True})
    else:
        click.echo(f"revoked {key_id}")


def _shown(instant: datetime | None) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%MZ") if instant else ""
