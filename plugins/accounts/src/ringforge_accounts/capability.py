"""The capability accounts: its parts, its routes, and who is signed in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from litestar import Request, Response, get
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.exceptions import NotFoundException
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler, Guard
from prometheus_client.registry import Collector

from ringforge_accounts.cleaning import EVERY_SECONDS, clean
from ringforge_accounts.email_change import EmailChange
from ringforge_accounts.key_sessions import KeySessions
from ringforge_accounts.mail import MailServer
from ringforge_accounts.mailer import Mailer
from ringforge_accounts.newcomers import Arrivals
from ringforge_accounts.pages.account import AccountPages, SignOutPages
from ringforge_accounts.pages.arrival import ArrivalPages
from ringforge_accounts.pages.desk import Desk
from ringforge_accounts.pages.entrance import AccountsEntrance
from ringforge_accounts.pages.places import PAGES, SECURITY
from ringforge_accounts.pages.providers import TAKES_ANSWERS, ProviderPages
from ringforge_accounts.pages.rendering import STYLE, style
from ringforge_accounts.pages.settings import SettingsPages
from ringforge_accounts.pages.sign_in import SignInPages
from ringforge_accounts.pages.team import TeamPages
from ringforge_accounts.passwords import Passwords
from ringforge_accounts.providers import Providers
from ringforge_accounts.registration import Registration, link
from ringforge_accounts.sealing import Sealer, key_of_this_node
from ringforge_accounts.sealing_check import check_key
from ringforge_accounts.second_factor import SecondFactor
from ringforge_accounts.sessions import Sessions
from ringforge_accounts.settings import AccountsSettings
from ringforge_accounts.sign_in import SignIn
from ringforge_accounts.tenant_providers import TenantProviders
from ringforge_core.errors import Forbidden
from ringforge_core.plugin import Capability, Hub, Periodic, Secret
from ringforge_core.plugin.web import (
    SESSION_COOKIE,
    VISIT_COOKIE,
    Entrance,
    Page,
    SignedIn,
    browser_routes,
    check_csrf,
    count_ways_in,
    forget_added,
    only_people,
)


class Accounts(Capability[AccountsSettings]):
    name = "accounts"
    settings_type = AccountsSettings
    migrations = "ringforge_accounts.migrations"

    sign_in_path: ClassVar[str] = "/auth/login"
    sign_out_path: ClassVar[str] = "/auth/logout"
    switch_path: ClassVar[str] = "/account/switch"

    def __init__(self, hub: Hub, settings: AccountsSettings) -> None:
        super().__init__(hub, settings)
        self.store = hub.store
        self.passwords = Passwords()
        self.sessions = Sessions(hub.store, settings.session_hours)
        self.key_sessions = KeySessions(hub.store, settings.session_hours)
        self._sealer = sealer = Sealer([_key(settings, hub.data_directory), *settings.old_encryption_keys])
        self.mailer = Mailer(hub.store, MailServer(settings.mail), sealer, node=hub.node, nodes=hub.nodes)
        self.second_factor = SecondFactor(hub.store, sealer)
        self.sign_in = SignIn(hub.store, settings, self.passwords, self.second_factor, self.sessions)
        arrivals = Arrivals(hub.store, hub.found_tenant)
        self.registration = Registration(hub.store, settings, self.passwords, arrivals, self.mailer)
        self.email_change = EmailChange(hub.store, self.registration, self.mailer, lambda *added: forget_added(hub, *added))
        self.providers = Providers(
            hub.store,
            hub.auth,
            sealer,
            self.sign_in,
            self.registration,
            lambda tx, user_id: count_ways_in(hub, tx, user_id),
            TenantProviders(hub.store, hub.includes),
            self.mailer,
        )
        self.entrance: Entrance = AccountsEntrance(self)
        self._cleaning = Periodic("accounts-cleaning", lambda: clean(hub.store), EVERY_SECONDS)
        self._owner_link: str | None = None

    @property
    def landing(self) -> str:
        """Where people land: the dashboard, if there is one."""
        paths = (capability.home for capability in self.hub.capabilities)
        return next((path for path in paths if path is not None), SECURITY.page.path)

    @property
    def key_landing(self) -> str:
        """Where who signed in with a key lands: there is nothing for them in accounts."""
        return self.landing if self.landing != SECURITY.page.path else "/api/docs"

    async def start(self) -> None:
        await check_key(self.store, self._sealer)
        await self.mailer.start()
        await self._cleaning.start()
        self._owner_link = await self.registration.owner_link()

    async def stop(self) -> None:
        await self._cleaning.stop()
        await self.mailer.stop()
        self.passwords.stop()

    def measures(self) -> Sequence[Collector]:
        return [self.mailer.counter]

    def greeting(self, url: str) -> str | None:
        if self._owner_link is None:
            return f"Sign in: {url}{self.sign_in_path}"
        owner = link(url, "/auth/owner", self._owner_link)
        return f"Become the first owner (this link works once, within 24 hours):\n\n  {owner}"

    async def signed_in(self, connection: ASGIConnection[Any, Any, Any, Any]) -> SignedIn | None:
        cookie = connection.cookies.get(SESSION_COOKIE)
        if not cookie:
            return None
        return await self.sessions.find(cookie) or await self.key_sessions.find(cookie)

    def check_waitlist(self) -> None:
        """Raises `Forbidden` when nobody waits here."""
        if self.settings.registration != "waitlist":
            raise Forbidden("There is no waitlist here.", reason="registration_closed")

    def pages(self) -> Sequence[Page]:
        return PAGES

    def routes(self) -> Sequence[ControllerRouterHandler]:
        def desk(request: Request[Any, Any, Any]) -> Desk:
            return Desk(self, request)

        at_desk = {"desk": Provide(desk, sync_to_thread=False)}
        entry = [SignInPages, ArrivalPages, ProviderPages]
        of_people = [("/account", AccountPages), ("/settings", SettingsPages), ("/team", TeamPages)]
        return [
            browser_routes(self.hub, "/auth/static", [_styles]),
            browser_routes(self.hub, "/auth", entry, guards=[_guard_forms(self)], dependencies=at_desk),
            browser_routes(self.hub, "/auth", [SignOutPages], role="viewer", dependencies=at_desk),
            *(
                browser_routes(self.hub, path, [pages], role="viewer", guards=[only_people], dependencies=at_desk)
                for path, pages in of_people
            ),
        ]


def _guard_forms(accounts: Accounts) -> Guard:
    """Forms of people who are not signed in are bound to the browser that they were shown in; but not the answer that a
    provider's page posts: it completes nothing before that browser comes for it."""

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        if handler.opt.get(TAKES_ANSWERS) and accounts.providers.answers_by_post(connection.path_params["adapter"]):
            return
        if isinstance(connection, Request):
            await check_csrf(connection, connection.cookies.get(VISIT_COOKIE), public_url=accounts.hub.public_url)

    return guard


@get("/{name:str}", sync_to_thread=False)
def _styles(name: FromPath[str]) -> Response[bytes]:
    if name != STYLE:
        raise NotFoundException("There is no such file.")
    headers = {"cache-control": "public, max-age=31536000, immutable"}  # its address changes when it does
    return Response(style()[0], media_type="text/css", headers=headers)


def _key(settings: AccountsSettings, data_directory: Path) -> Secret:
    return settings.encryption_key or key_of_this_node(data_directory)
