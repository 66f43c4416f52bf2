"""`ringforge audit`"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import rich_click as click

from ringforge_core import audit as log
from ringforge_core.audit import Verified
from ringforge_core.cli.configuration import config_option, configuration
from ringforge_core.cli.lazy import LazyGroup
from ringforge_core.cli.output import json_option, print_json, print_table
from ringforge_core.cli.store import find_tenant, opened_store, tenant_option
from ringforge_core.config import Config
from ringforge_core.errors import Conflict, NotFound
from ringforge_core.plugin import iso
from ringforge_core.plugin.records import AuditRecord

EPILOG = """
Examples:

  ringforge audit list --limit 20
  ringforge audit list --tenant acme --action api_key.revoked --json
  ringforge audit verify

verify looks at every entry: each carries the hash of the one before it, so a changed, missing or reordered row is found and
named, and the exit code is 1. Who can write to the database could also compute a whole chain anew: so keep the heads that
verify prints elsewhere, and compare. The hub may be running.
"""


@click.group(cls=LazyGroup, epilog=EPILOG)
def audit() -> None:
    """Read and verify the audit log: who did what, when, from where."""


@audit.command("list")
@config_option
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="The newest of them.")
@click.option("--action", metavar="NAME", help="Only these, such as api_key.created.")
@tenant_option
@json_option
def list_entries(limit: int, action: str | None, tenant: str | None, as_json: bool) -> None:
    """List a tenant's entries, newest first."""

    async def read(config: Config) -> Sequence[AuditRecord]:
        async with opened_store(config) as store:
            return await log.read_entries(store, await find_tenant(store, tenant), action=action, limit=limit)

    found = asyncio.run(read(configuration()))
    if as_json:
        print_json(found)
        return
    print_table(
        ("SEQ", "AT", "ACTION", "BY", "TARGET", "FROM"),
        [
            (
                str(entry.seq),
                iso(entry.at),
                entry.action,
                f"{entry.actor_type} {entry.actor_id}",
                f"{entry.target_type or ''} {entry.target_id or ''}".strip(),
                entry.ip_address or "",
            )
            for entry in found
        ],
    )


@audit.command()
@config_option
@click.option("--tenant", metavar="ID|NAME", help="Only this tenant's log; otherwise all, also of tenants that are gone.")
@json_option
def verify(tenant: str | None, as_json: bool) -> None:
    """Find out whether a row was changed, taken out or moved; exit code 1 when one was."""

    async def look(config: Config) -> Sequence[Verified]:
        async with opened_store(config) as store:
            return await log.verify(store, None if tenant is None else await find_tenant(store, tenant))

    found = asyncio.run(look(configuration()))
    if not found:
        raise NotFound(
            "There is no audit log in this store, so nothing was verified.",
            fix="Is it the hub's store? Check --config, the working directory and [store] url.",
        )
    if as_json:
        print_json(found)
    else:
        for each in found:
            click.echo(
                f"{'ok' if each.fault is None else 'BROKEN':8}tenant {each.tenant_id}: {each.seq} entries, head {each.head}"
            )
    faults = [each.fault for each in found if each.fault is not None]
    if faults:
        raise Conflict(
            "; ".join(f"tenant {fault.tenant_id}: row {fault.seq} {fault.problem}" for fault in faults),
            fix="Somebody wrote into the audit log. Compare it with a backup, row by row from there.",
        )
