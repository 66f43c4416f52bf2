"""`ringforge users list|invite|set-role|disable|enable|sign-in-link|waitlist|approve|forget-secrets`"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from urllib.parse import urlencode

import msgspec
import rich_click as click
import sqlalchemy as sa

from ringforge_accounts import letters, operating
from ringforge_accounts.letter_box import Letter, seal
from ringforge_accounts.registration import check_email, link
from ringforge_accounts.sealing import KEY_FILE, Sealer
from ringforge_accounts.sealing_check import check_key, forget_sealed
from ringforge_accounts.settings import AccountsSettings
from ringforge_accounts.tables import tenants
from ringforge_accounts.waiting import approve as approve_waiting
from ringforge_accounts.waiting import list_waiting
from ringforge_core.errors import ConfigError, Conflict, NotFound
from ringforge_core.plugin import Secret, now
from ringforge_core.plugin.commands import ConfiguredPlugins
from ringforge_core.plugin.web import ROLES, Role
from ringforge_core.ports.store import Store

Result = TypeVar("Result")

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else on stdout.")
tenant_option = click.option(
    "--tenant", metavar="ID|NAME", help="Of which tenant; may be left out while there is only one."
)
role_type = click.Choice(ROLES)


class Link(msgspec.Struct, frozen=True):
    url: str
    expires_at: datetime


@click.group()
def users() -> None:
    """See and administer the people of the hub, beside a hub that runs.

    \b
    ringforge users list
    ringforge users invite --role owner --email ada@example.org
    ringforge users set-role ada@example.org admin --tenant acme
    ringforge users disable ada@example.org
    ringforge users sign-in-link ada@example.org
    ringforge users waitlist
    ringforge users approve eve@example.org

    Roles are viewer, member, admin and owner; each may what those before it may. A link that is printed works once: give it
    to nobody else. With [hub] public_url it leads to where people reach the hub.
    """


@users.command("list")
@click.option("--tenant", metavar="ID|NAME", help="Only those of one tenant.")
@json_option
@click.pass_obj
def list_users(configured: ConfiguredPlugins, tenant: str | None, as_json: bool) -> None:
    """List people and where they belong."""

    async def work(store: Store) -> list[operating.Listed]:
        return await operating.list_people(store, await find_tenant(store, tenant) if tenant else None)

    found = _run(configured, work)
    if as_json:
        return configured.print_json(found)
    if not found:
        return click.echo("Nobody has an account yet. The first start of the hub prints a link for the first owner.")
    rows = [
        (each.email, each.name or "", each.tenant or "", each.role or "", "on" if each.second_factor else "off",
         "disabled" if each.disabled else "active", _shown(each.inserted_at))
        for each in found
    ]  # fmt: skip
    return configured.print_table(("E-MAIL", "NAME", "TENANT", "ROLE", "2ND FACTOR", "STATE", "SINCE"), rows)


@users.command()
@click.option("--role", type=role_type, default="member", show_default=True, help="What they may do.")
@click.option("--email", metavar="E-MAIL", help="The only one who may use it; they are not sent a mail.")
@click.option("--days", type=click.IntRange(1, 90), default=7, show_default=True, help="How long it is valid.")
@tenant_option
@json_option
@click.pass_obj
def invite(
    configured: ConfiguredPlugins, role: Role, email: str | None, days: int, tenant: str | None, as_json: bool
) -> None:
    """Print a link with which one person joins a tenant."""
    until = now() + timedelta(days=days)
    if email is not None:
        check_email(email)

    async def work(store: Store) -> str:
        return await operating.invite(store, await find_tenant(store, tenant), role=role, email=email, until=until)

    code = _run(configured, work)
    _print_link(configured, f"{configured.hub_url}/auth/register?{urlencode({'invite': code})}", until, as_json)


@users.command("set-role")
@click.argument("email", metavar="E-MAIL")
@click.argument("role", type=role_type)
@tenant_option
@click.pass_obj
def set_role(configured: ConfiguredPlugins, email: str, role: Role, tenant: str | None) -> None:
    """Give a member another role, at once."""

    async def work(store: Store) -> None:
        await operating.set_role(store, email, await find_tenant(store, tenant), role)

    _run(configured, work)
    click.echo(f"{email} is {role} now")


@users.command()
@click.argument("email", metavar="E-MAIL")
@click.pass_obj
def disable(configured: ConfiguredPlugins, email: str) -> None:
    """Keep somebody out: their sessions end at once, and no sign-in succeeds."""
    _run(configured, lambda store: operating.disable(store, email))
    click.echo(f"{email} is disabled")


@users.command()
@click.argument("email", metavar="E-MAIL")
@click.pass_obj
def enable(configured: ConfiguredPlugins, email: str) -> None:
    """Let somebody in again who was disabled."""
    _run(configured, lambda store: operating.disable(store, email, disabled=False))
    click.echo(f"{email} may sign in again")


@users.command("sign-in-link")
@click.argument("email", metavar="E-MAIL")
@click.option("--without-second-factor", is_flag=True, help="Also turn the second factor off, for who lost it.")
@json_option
@click.pass_obj
def sign_in_link(configured: ConfiguredPlugins, email: str, without_second_factor: bool, as_json: bool) -> None:
    """Print a link for who is locked out: with it they set a new password within 30 minutes, and sign in."""
    until = now() + timedelta(minutes=30)
    token = _run(configured, lambda store: operating.let_in(store, email, drops_second_factor=without_second_factor))
    _print_link(configured, link(configured.hub_url, "/auth/reset", token), until, as_json)


@users.command()
@json_option
@click.pass_obj
def waitlist(configured: ConfiguredPlugins, as_json: bool) -> None:
    """List who waits for a place, who came first first."""
    waiting = _run(configured, list_waiting)
    if as_json:
        return configured.print_json(waiting)
    if not waiting:
        return click.echo("Nobody waits.")
    rows = [(each.email, each.name or "", _shown(each.inserted_at)) for each in waiting]
    return configured.print_table(("E-MAIL", "NAME", "SINCE"), rows)


@users.command()
@click.argument("email", metavar="E-MAIL")
@click.option("--tenant", metavar="ID|NAME", help="Whose audit log tells of it; by default the hub's first tenant.")
@click.pass_obj
def approve(configured: ConfiguredPlugins, email: str, tenant: str | None) -> None:
    """Give somebody of the waitlist a place. A running hub sends them the mail."""

    async def work(store: Store) -> None:
        sealer = await _sealer(configured, store)
        chosen = next((each for each in await list_waiting(store) if each.email.casefold() == email.casefold()), None)
        if chosen is None:
            raise NotFound("Nobody waits under this e-mail.", fix="See who does: ringforge users waitlist")
        tenant_id = await find_tenant(store, tenant, first=True)
        entry = operating.did("waitlist.approved", tenant_id, ("waiting", chosen.id))

        def letter(to: str, token: str) -> Letter:
            return seal(sealer, letters.approved(to, link(configured.hub_url, "/auth/place", token)))

        await approve_waiting(store, chosen.id, entry=entry, letter=letter)

    _run(configured, work)
    click.echo(f"{email} has a place; a mail is on its way")


@users.command("forget-secrets")
@click.confirmation_option(prompt="Turn off all second factors, and drop the mails that wait?")
@click.pass_obj
def forget_secrets(configured: ConfiguredPlugins) -> None:
    """For who lost the encryption key: delete all that was sealed under it. The hub must be stopped.

    People then sign in with their password alone and set their second factor up anew. The next start uses the key that is
    configured then.
    """
    off = _run(configured, lambda store: store.apply(forget_sealed, None))
    click.echo(f"turned off {off} second factors")


async def find_tenant(store: Store, given: str | None, *, first: bool = False) -> str:
    """The id of the tenant given by id, or by the name that `bootstrap` gave it or that it has; else of the only one, or
    with `first` of the oldest that those who run the hub made."""
    query = sa.select(tenants.c.id, tenants.c.handle, tenants.c.name).order_by(tenants.c.inserted_at).limit(10)
    if given is not None:
        query = query.where(sa.or_(tenants.c.id == given, tenants.c.handle == given, tenants.c.name == given))
    elif first:
        query = query.where(tenants.c.handle.is_not(None)).limit(1)
    found = await store.read(lambda connection: connection.execute(query).all())
    if len(found) == 1:
        return str(found[0].id)
    if not found:
        raise NotFound(f'There is no tenant "{given}".' if given else "There is no tenant yet.", fix="Use its id or name.")
    names = ", ".join(row.handle or row.id for row in found)
    raise Conflict("Several tenants fit.", fix=f"Name one with --tenant: {names}")


def _run(configured: ConfiguredPlugins, work: Callable[[Store], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        async with configured.opened_store() as store:
            return await work(store)

    return asyncio.run(run())


async def _sealer(configured: ConfiguredPlugins, store: Store) -> Sealer:
    """Raises `ConfigError` for a key that is not the hub's."""
    settings: AccountsSettings = configured.capability_settings("accounts")
    file, key = configured.data_directory / KEY_FILE, settings.encryption_key
    if key is None:
        if not file.exists():
            raise ConfigError("The hub has no encryption key yet.", fix="Start it once: ringforge serve")
        key = Secret(file.read_text().strip())
    sealer = Sealer([key, *settings.old_encryption_keys])
    await check_key(store, sealer)
    return sealer


def _print_link(configured: ConfiguredPlugins, url: str, until: datetime, as_json: bool) -> None:
    if as_json:
        return configured.print_json(Link(url, until))
    return click.echo(f"{url}\n\nIt works once, until {_shown(until)}.")


def _shown(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%MZ")
